//! Agents, tools and calls of models: what is measured, what spans say, and what nobody is to see.

use std::collections::BTreeSet;
use std::time::Duration;

use metrics::with_local_recorder;
use obs::catalog::Catalog;
use obs::genai::{self, Cost, Currency, GenAi, Operation, Price, Provider, ToolType, Usage};
use obs::metric::{Exposition, MetricRecorder};
use proptest::prelude::*;

use crate::metrics::{text, value};
use crate::support::logged;

fn recorder() -> MetricRecorder {
    MetricRecorder::builder().catalog(Catalog::new().with(genai::METRICS).unwrap()).build()
}

fn measured(work: impl FnOnce(GenAi)) -> MetricRecorder {
    let recorder = recorder();
    with_local_recorder(&recorder, || work(GenAi::new()));
    recorder
}

/// One of everything.
fn everything(genai: GenAi) {
    let run = genai.agent("support").invoke();
    run.conversation("c-7");
    let mut call = run.call(Operation::Chat, Provider::OpenAi, "gpt-4o-mini");
    call.answered_by("gpt-4o-mini-2024-07-18");
    call.input("my card is 4111 1111 1111 1111, password=hunter2");
    call.chunk();
    call.chunk();
    call.usage(Usage::default().input(1_200).output(80).cached(1_024));
    call.cost(Cost::billionths(Currency::USD, 185_100));
    call.output("token=hunter2");
    call.succeed();
    let tool = run.tool("search_orders", ToolType::Function);
    tool.succeed();
    run.tool("search_orders", ToolType::Function).fail("timeout");
    run.succeed();
}

/// The names of section 6.4 of what was gathered of the conventions, at the version that is named.
#[test]
fn names_buckets_and_units_are_those_of_the_conventions() {
    let doubled = |first: f64, count: i32| (0..count).map(|n| first * 2_f64.powi(n)).collect();
    let calls: Vec<f64> = doubled(0.01, 14);
    let agents: Vec<f64> = doubled(0.1, 13);
    let tokens: Vec<f64> = (0..14).map(|n| 4_f64.powi(n)).collect();
    let call = ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"];
    let with = |more: &[&'static str]| [&call[..], more].concat();
    let expected = [
        ("gen_ai.client.token.usage", "{token}", &tokens, with(&["gen_ai.token.type"])),
        ("gen_ai.client.operation.duration", "s", &calls, with(&["error.type"])),
        ("gen_ai.client.operation.time_to_first_chunk", "s", &calls, with(&[])),
        ("gen_ai.client.operation.time_per_output_chunk", "s", &calls, with(&[])),
        ("gen_ai.invoke_agent.duration", "s", &agents, vec!["gen_ai.agent.name", "error.type"]),
        (
            "gen_ai.execute_tool.duration",
            "s",
            &calls,
            vec!["gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.agent.name", "error.type"],
        ),
    ];
    let count = expected.len();
    for (name, unit, buckets, labels) in expected {
        let metric = genai::METRICS.iter().find(|metric| metric.name == name).unwrap();
        assert_eq!((metric.unit, metric.labels), (unit, &labels[..]), "{name}");
        assert_eq!(metric.buckets.len(), buckets.len(), "{name}");
        for (bound, expected) in metric.buckets.iter().zip(buckets) {
            assert!((bound - expected).abs() < 1e-9, "{name}: {bound}");
        }
    }
    let others = genai::METRICS.iter().filter(|metric| !metric.name.starts_with("gen_ai."));
    assert!(others.clone().all(|metric| metric.name.starts_with("obs.genai.")));
    assert_eq!(genai::METRICS.len(), count + others.count());
    assert!(genai::CONVENTIONS_VERSION.contains("semantic-conventions-genai@"));
}

#[test]
fn everything_is_measured_and_everything_measured_is_declared() {
    let recorder = measured(everything);
    let call = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o-mini\"";
    let tool = "gen_ai_agent_name=\"support\",gen_ai_tool_name=\"search_orders\",gen_ai_tool_type=\"function\"";
    let expected = [
        ("gen_ai_invoke_agent_duration_seconds_count{gen_ai_agent_name=\"support\"}".into(), 1.0),
        (format!("gen_ai_client_operation_duration_seconds_count{{{call}}}"), 1.0),
        (format!("gen_ai_client_operation_time_to_first_chunk_seconds_count{{{call}}}"), 1.0),
        (format!("gen_ai_client_operation_time_per_output_chunk_seconds_count{{{call}}}"), 1.0),
        (format!("gen_ai_client_token_usage_sum{{{call},gen_ai_token_type=\"input\"}}"), 1_200.0),
        (format!("gen_ai_client_token_usage_sum{{{call},gen_ai_token_type=\"output\"}}"), 80.0),
        (format!("gen_ai_execute_tool_duration_seconds_count{{{tool}}}"), 1.0),
        (
            format!("gen_ai_execute_tool_duration_seconds_count{{error_type=\"timeout\",{tool}}}"),
            1.0,
        ),
        (format!("obs_genai_cached_tokens_total{{{call}}}"), 1_024.0),
        (
            "obs_genai_cost_total{gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o-mini\",obs_genai_currency=\"USD\"}"
                .into(),
            185_100.0,
        ),
        ("obs_genai_active_invocations{gen_ai_agent_name=\"support\"}".into(), 0.0),
    ];
    let page = text(&recorder, Exposition::Text);
    for (sample, expected) in expected {
        assert_eq!(value(&recorder, &sample), Some(expected), "{sample}\n{page}");
    }
    let shown: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|name| !name.starts_with("obs_metric"))
        .collect();
    // All but the one of names that are not shown.
    assert_eq!(shown.len(), genai::METRICS.len() - 1, "{shown:?}");
}

#[test]
fn what_is_dropped_was_cancelled_or_panicked() {
    let recorder = measured(|genai| {
        let agent = genai.agent("a");
        drop(agent.invoke());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let run = agent.invoke();
            let _tool = run.tool("t", ToolType::Datastore);
            std::panic::resume_unwind(Box::new("it failed"));
        }));
        assert!(panicked.is_err());
        agent.invoke().fail("too_many_steps");
    });
    for error in ["cancelled", "panic", "too_many_steps"] {
        let sample = format!(
            "gen_ai_invoke_agent_duration_seconds_count{{error_type=\"{error}\",gen_ai_agent_name=\"a\"}}"
        );
        assert_eq!(value(&recorder, &sample), Some(1.0), "{error}");
    }
    let page = text(&recorder, Exposition::Text);
    assert!(
        page.contains("gen_ai_execute_tool_duration_seconds_count{error_type=\"panic\""),
        "{page}"
    );
    assert!(page.contains("obs_genai_active_invocations{gen_ai_agent_name=\"a\"} 0\n"), "{page}");
}

#[test]
fn an_agent_counts_as_active_until_its_future_is_dropped() {
    let recorder = recorder();
    let active = || value(&recorder, "obs_genai_active_invocations{gen_ai_agent_name=\"a\"}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    with_local_recorder(&recorder, || {
        let agent = GenAi::new().agent("a");
        let ended = runtime.block_on(async {
            let work = async {
                let run = agent.invoke();
                assert_eq!(active(), Some(1.0));
                std::future::pending::<()>().await;
                run.succeed();
            };
            tokio::time::timeout(Duration::from_millis(20), work).await
        });
        assert!(ended.is_err());
    });
    assert_eq!(active(), Some(0.0));
    let page = text(&recorder, Exposition::Text);
    assert!(
        page.contains("duration_seconds_count{error_type=\"cancelled\",gen_ai_agent_name=\"a\"} 1")
    );
}

#[test]
fn names_from_outside_are_bounded() {
    let recorder = measured(|genai| {
        let run = genai.agent("a").invoke();
        for number in 0..10_000 {
            run.call(Operation::Chat, Provider::OpenAi, &format!("model-{number}")).succeed();
        }
        for odd in ["", "two words", "a\nb", "🦀", &"x".repeat(129)] {
            run.tool(odd, ToolType::Function).succeed();
        }
        // What is known stays known.
        run.call(Operation::Chat, Provider::OpenAi, "model-0").succeed();
        run.succeed();
    });
    let page = text(&recorder, Exposition::Text);
    let series = page
        .lines()
        .filter(|line| line.starts_with("gen_ai_client_operation_duration_seconds_count"));
    assert_eq!(series.clone().count(), 101);
    let sum: f64 =
        series.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum();
    assert_eq!(sum, 10_001.0);
    assert_eq!(
        value(&recorder, "obs_genai_other_names_total{obs_genai_name=\"model\"}"),
        Some(9_900.0)
    );
    assert_eq!(value(&recorder, "obs_genai_other_names_total{obs_genai_name=\"tool\"}"), Some(5.0));
    assert!(page.contains("gen_ai_tool_name=\"_OTHER\""));
    assert!(page.contains("gen_ai_request_model=\"model-0\"} 2\n"));
}

#[test]
fn spans_have_the_names_of_the_conventions_and_numbers_of_tokens() {
    let recorder = recorder();
    let lines = with_local_recorder(&recorder, || {
        logged(|| {
            let run = GenAi::new().agent("support").invoke();
            run.conversation("c-7");
            let call = run.call(Operation::Chat, Provider::Anthropic, "claude");
            call.usage(Usage::default().input(1_200).output(80).cached(1_024));
            call.input("canary-7319");
            call.span().in_scope(|| tracing::info!("asked"));
            call.succeed();
            let tool = run.tool("search", ToolType::Function);
            tool.span().in_scope(|| tracing::info!("searched"));
        })
    });
    let (asked, searched) = (&lines.all()[0], &lines.all()[1]);
    let expected = [
        ("otel.name", "chat claude"),
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "anthropic"),
        ("gen_ai.request.model", "claude"),
        ("gen_ai.agent.name", "support"),
        ("gen_ai.conversation.id", "c-7"),
    ];
    for (name, value) in expected {
        assert_eq!(asked[name], value, "{asked}");
    }
    let tokens = [
        ("gen_ai.usage.input_tokens", 1_200),
        ("gen_ai.usage.output_tokens", 80),
        ("gen_ai.usage.cache_read.input_tokens", 1_024),
    ];
    for (name, value) in tokens {
        assert_eq!(asked[name], value, "{asked}");
    }
    assert_eq!(searched["gen_ai.tool.name"], "search");
    assert_eq!(searched["otel.name"], "execute_tool search");
    assert!(!lines.text().contains("canary-7319"));
}

#[test]
fn spans_have_names_that_series_have_not() {
    let recorder = recorder();
    let lines = with_local_recorder(&recorder, || {
        logged(|| {
            let run = GenAi::new().agent("a").invoke();
            for number in 0..100 {
                run.call(Operation::Chat, Provider::OpenAi, &format!("model-{number}")).succeed();
            }
            let call = run.call(Operation::Chat, Provider::OpenAi, "one-too-many");
            call.span().in_scope(|| tracing::info!("asked"));
            let tool = run.tool("of two words", ToolType::Function);
            tool.span().in_scope(|| tracing::info!("searched"));
        })
    });
    let (asked, searched) = (&lines.all()[0], &lines.all()[1]);
    assert_eq!(
        (&asked["otel.name"], &asked["gen_ai.request.model"]),
        (&"chat _OTHER".into(), &"one-too-many".into())
    );
    assert_eq!(searched["otel.name"], "execute_tool _OTHER");
    assert_eq!(searched["gen_ai.tool.name"], "of two words");
    let page = text(&recorder, Exposition::Text);
    assert!(!page.contains("one-too-many") && !page.contains("of two words"), "{page}");
}

#[test]
fn content_is_shown_on_request_only_and_redacted_then() {
    let show = |genai: GenAi| {
        logged(|| {
            let run = genai.agent("a").invoke();
            let call = run.call(Operation::Chat, Provider::OpenAi, "m");
            call.input("where is my order? password=hunter2");
            call.output("at https://app:hunter2@shop/orders");
            call.span().in_scope(|| tracing::info!("asked"));
        })
    };
    let hidden = show(GenAi::new()).text();
    assert!(!hidden.contains("where is my order") && !hidden.contains("messages"), "{hidden}");
    let shown = show(GenAi::new().with_content()).last();
    assert_eq!(shown["gen_ai.input.messages"], "where is my order? password=[REDACTED]");
    assert_eq!(shown["gen_ai.output.messages"], "at https://app:[REDACTED]@shop/orders");
}

#[test]
fn currencies_are_codes() {
    assert_eq!(Currency::new("CHF").unwrap().code(), "CHF");
    for wrong in ["", "usd", "US", "USDT", "U$D", "ÄÖ"] {
        assert_eq!(Currency::new(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn sums_of_costs_are_exact(calls in proptest::collection::vec((0..10_000_000_u64, 0..1_000_000_000_000_u64), 1..20)) {
        let mut exact = 0_u128;
        let recorder = measured(|genai| {
            let run = genai.agent("a").invoke();
            let call = run.call(Operation::Chat, Provider::OpenAi, "m");
            for (tokens, price) in &calls {
                let price = Price::of_a_million(Cost::billionths(Currency::EUR, *price));
                call.cost(price.of(*tokens));
            }
            run.succeed();
        });
        for (tokens, price) in &calls {
            exact += (u128::from(*tokens) * u128::from(*price) + 500_000) / 1_000_000;
        }
        let page = text(&recorder, Exposition::Text);
        let sample = page.lines().find(|line| line.starts_with("obs_genai_cost_total{")).unwrap();
        prop_assert_eq!(sample.rsplit_once(' ').unwrap().1, exact.to_string());
    }
}
