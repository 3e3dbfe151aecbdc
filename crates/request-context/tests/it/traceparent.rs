//! `traceparent` by W3C Trace Context, section 3.2.

use proptest::prelude::*;
use request_context::{InvalidTraceparent, SpanId, TraceContext, TraceFlags, TraceId};

const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn the_example_of_the_specification_is_read_and_written() {
    let context: TraceContext = EXAMPLE.parse().unwrap();
    assert_eq!(context.trace_id.to_u128(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    assert_eq!(context.span_id.to_u64(), 0x00f0_67aa_0ba9_02b7);
    assert_eq!(context.flags, TraceFlags::SAMPLED);
    assert_eq!(context.to_string(), EXAMPLE);
    assert_eq!(&context.trace_id.to_hex(), b"4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(&context.span_id.to_hex(), b"00f067aa0ba902b7");
    assert_eq!(serde_json::to_string(&context.trace_id).unwrap().len(), 34);
}

#[test]
fn what_the_specification_forbids_is_refused() {
    let refused = [
        "",
        "00",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0G",
        "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01what",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ];
    for header in refused {
        let error: InvalidTraceparent = header.parse::<TraceContext>().unwrap_err();
        assert_eq!(error.to_string(), "this is no `traceparent` of W3C Trace Context", "{header}");
    }
}

#[test]
fn later_versions_are_read_as_far_as_they_are_known() {
    for tail in ["", "-", "-what-the-future-will-be-like"] {
        let header = format!("cc{}{tail}", EXAMPLE.strip_prefix("00").unwrap());
        let context: TraceContext = header.parse().unwrap();
        assert_eq!(context.to_string(), EXAMPLE);
    }
}

#[test]
fn flags_without_a_meaning_are_not_passed_on() {
    let header = EXAMPLE.strip_suffix("01").unwrap();
    for (flags, written) in [("ff", "03"), ("fc", "00"), ("02", "02"), ("09", "01")] {
        let context: TraceContext = format!("{header}{flags}").parse().unwrap();
        assert_eq!(context.to_string(), format!("{header}{written}"), "{flags}");
    }
    let both = TraceFlags::SAMPLED.union(TraceFlags::RANDOM);
    assert!(both.contains(TraceFlags::RANDOM) && !TraceFlags::NONE.contains(both));
}

proptest! {
    #[test]
    fn what_is_written_is_read(trace in 1..=u128::MAX, span in 1..=u64::MAX, sampled: bool) {
        let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::NONE };
        let context = TraceContext::new(TraceId::new(trace).unwrap(), SpanId::new(span).unwrap());
        let context = context.with_flags(flags);
        prop_assert_eq!(context.to_string().parse(), Ok(context));
        prop_assert_eq!(context.trace_id.to_string().into_bytes(), context.trace_id.to_hex());
        prop_assert_eq!(context.span_id.to_string().into_bytes(), context.span_id.to_hex());
    }

    #[test]
    fn whatever_is_taken_is_written_alike(header in "\\PC{0,80}") {
        if let Ok(context) = header.parse::<TraceContext>() {
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }
    }

    /// One byte of a good header replaced by another: it is the other header, or it is refused.
    #[test]
    fn nothing_is_misread(at in 0..55_usize, byte in 0x20..0x7f_u8) {
        let mut header = EXAMPLE.as_bytes().to_vec();
        *header.get_mut(at).unwrap() = byte;
        let header = String::from_utf8(header).unwrap();
        if let Ok(context) = header.parse::<TraceContext>() {
            let (ids, read) = (header.get(2..53).unwrap(), context.to_string());
            prop_assert_eq!(ids, read.get(2..53).unwrap());
        }
    }
}
