//! Texts as services log them: what of them is not shown, and what stays as it is.

use obs::record::{REDACTED, RedactedKeys};

use crate::support::{logged, logged_by};

fn seen(text: &str) -> String {
    logged(|| tracing::info!("{text}")).last()["message"].as_str().unwrap().to_owned()
}

/// Each text has `{}` where the secret is.
#[track_caller]
fn are_hidden(secret: &str, texts: &[&str]) {
    for text in texts {
        assert_eq!(seen(&text.replace("{}", secret)), text.replace("{}", REDACTED));
    }
}

#[track_caller]
fn are_seen(texts: &[&str]) {
    for text in texts {
        assert_eq!(seen(text), *text);
    }
}

const SECRET: &str = "hunter2canary";

#[test]
fn options_of_programs() {
    are_hidden(
        SECRET,
        &[
            "mysql -u root --password {} db",
            "app --api-key {}",
            "app --client-secret\t{} run",
            "curl -u alice:{} https://host/",
            "curl -U alice:{} https://host/",
            "curl --user alice@example.com:{} https://host/",
            "curl --user=alice:{} https://host/",
            "curl --proxy-user alice:{} https://host/",
            "[\"-u\", \"alice:{}\"]",
            "['-u', 'alice:{}']",
            "[\\\"-u\\\", \\\"alice:{}\\\"]",
            "app --api_key {} run",
            "app --db.password {} run",
            "app --token = {} run",
            "app --token : {} run",
        ],
    );
    are_hidden(
        "\"hunter2 canary\"",
        &[
            "app --token {} run",
            "\"app\" \"--token\" {} \"run\"",
            "[\"app\", \"--token\", {}, \"run\"]",
            "[\n    \"--token\",\n    {},\n]",
            "'--token', {}",
        ],
    );
    are_hidden("\\\"hunter2\\\"", &["[\\\"--token\\\", {}]", "\\\"--token\\\", {} run"]);
    are_hidden("\"is\"", &["[\"--token\", {}]"]);
    are_hidden("is", &["[--token, {}]"]);
    are_seen(&[
        "--token-file /etc/token",
        "--token/path",
        "--password-stdin",
        "--no-password --verbose",
        "--token <TOKEN> --password [PASSWORD]",
        "--token (one of these) | --password | more --token > file --token & --token",
        "a --user name",
        "docker run -u 1000:1000 image",
        "-u alice: more",
        "x -v a:b --- token x --",
        "app -u level=high",
    ]);
    for word in [
        "and", "are", "argument", "can", "cannot", "for", "flag", "from", "has", "if", "in",
        "instead", "is", "may", "must", "needs", "not", "option", "or", "requires", "should", "to",
        "was", "when", "with",
    ] {
        are_seen(&[&format!("--token {word} something")]);
    }
}

#[test]
fn statements_of_sql() {
    are_hidden(
        "'hunter2 canary'",
        &[
            "ALTER USER alice WITH PASSWORD {};",
            "create role alice login password {}",
            "CREATE USER alice IDENTIFIED BY {}",
            "GRANT ALL ON a.* TO alice IDENTIFIED BY {}",
            "ALTER USER alice IDENTIFIED WITH caching_sha2_password BY {}",
        ],
    );
    are_seen(&[
        "the 'password' field, the user's token's age",
        "wrong password for user 'alice'",
        "the user_password 'field'",
        "CREATE USER alice IDENTIFIED WITH 'caching_sha2_password'",
        "identified by 'Content-ID' of it",
        "CREATE USER alice, made by 'bob'",
        "password'x'",
        "can't",
    ]);
    let keys = RedactedKeys::default().except("password");
    let text = "WITH PASSWORD 'shown'";
    let lines = logged_by(|builder| builder.redacted_keys(keys), || tracing::info!("{text}"));
    assert_eq!(lines.last()["message"], text);
}

#[test]
fn statements_that_set_a_password() {
    are_hidden(
        "'hunter2 canary'",
        &[
            "SET PASSWORD FOR alice = {}",
            "set password for 'alice'@'localhost'={};",
            "SET PASSWORD = {}",
            "UPDATE users SET password = {} WHERE id = 7",
        ],
    );
    are_seen(&["SET PASSWORD FOR alice failed", "a = 'x'", "SET PASSWORD and a = 'x'"]);
}

#[test]
fn rows_that_are_put_into_a_table() {
    are_hidden(
        "'it''s) (hunter2'",
        &[
            "INSERT INTO users (name, password) VALUES ('alice', {})",
            "insert into users (password, name) values ({}, 'alice') returning id",
            "INSERT INTO users (\"name\", \"password\", age) VALUES ('alice', {} , 7);",
            "INSERT INTO users (`api_key`) VALUES ( {} )",
            "INSERT INTO users ([name], [pin]) VALUES (f('a', 2), {})",
            "INSERT INTO users (name,pin)VALUES('a',{})",
        ],
    );
    are_hidden("'x', 7, 'y'", &["INSERT INTO t (name, pin, n, token) VALUES ('a', {})"]);
    are_hidden("'x'), ('b', 'y'), ('c', 'z'", &["INSERT INTO t (a, pin) VALUES ('a', {}) x"]);
    are_hidden("\"x, (y\"", &["INSERT INTO t (a, pin, b) VALUES (\"a), 'b\", {}, 'c')"]);
    are_hidden("1234", &["INSERT INTO t (a, pin) VALUES (7, {})"]);
    are_hidden("crypt('x', gen_salt('bf'))", &["INSERT INTO t (a, pin) VALUES (7, {})"]);
    are_hidden("'x", &["INSERT INTO t (a, pin) VALUES (7, {}"]);
    are_hidden("\\\"x\\\"", &["\"INSERT INTO t (a, \\\"pin\\\") VALUES (7, {})\""]);
    are_seen(&[
        "INSERT INTO users (name, password) VALUES ($1, $2), ($3, $4)",
        "INSERT INTO users (name, password) VALUES (?, ?)",
        "INSERT INTO users (name, password) VALUES (:name, :password)",
        "INSERT INTO users (name, password) VALUES ('alice', NULL), ('bob', default)",
        "INSERT INTO users (name, age) VALUES ('alice', 7)",
        "INSERT INTO users (name, password) VALUES (@name, @password)",
        "INSERT INTO users (name, password) VALUES (%(name)s, %(password)s)",
        "f(a, pin) detail ('x', 'y')",
        "INSERT INTO users VALUES ('alice', 7)",
        "SELECT * FROM f(password) WHERE values ('x')",
        "values (7)",
        "é values",
        "the pin) VALUES (7, 8)",
    ]);
}

#[test]
fn codes_of_redirections() {
    let codes =
        ["4/0AX4XfWhZ9pQr2", "e72e16c7e42f292c6912e7710c838347ae178b4a", "4%2F0AX4XfWhZ9pQr2"];
    for code in codes {
        are_hidden(
            code,
            &[
                "GET /callback?code={}&state=xyz",
                "GET /callback?state=xyz&code={} HTTP/1.1",
                "https://host/cb#code={}",
                "code={}&state=xyz",
                "next=https%3A%2F%2Fhost%2Fcb%3Fcode%3D{}%26state%3Dxyz",
                "next=%2Fcb%3fcode%3d{}",
                "next=%2Fcb%3Fstate%3Dxyz%26code%3D{}",
                "next=%2Fcb%23code%3D{}",
                "next=%252Fcb%253Fstate%253Dxyz%2526code%253D{}",
            ],
        );
    }
    are_hidden("0c6e0f43-1b1d-4b0e-8d53-9a3c2c7f5a11.5d2a.9", &["/cb?session_state=a&code={}"]);
    are_seen(&[
        "GET /tokens?code=404",
        "GET /countries?code=DE&limit=7",
        "GET /x?code=INVALID_ARGUMENT_OF_CALL",
        "GET /x?code=1234567890123456789",
        "code=e72e16c7e42f292c6912e7710c838347ae178b4a",
        "error_code=e72e16c7e42f292c6912e7710c83&x",
        "error code=e72e16c7e42f292c6912e7710c83&x",
        "GET /x?zip_code=e72e16c7e42f292c6912e7710c83",
    ]);
    let keys = RedactedKeys::default().except("code");
    let text = "GET /callback?code=e72e16c7e42f292c6912e7710c838347ae178b4a";
    let lines = logged_by(|builder| builder.redacted_keys(keys), || tracing::info!("{text}"));
    assert_eq!(lines.last()["message"], text);
}

#[test]
fn credentials_under_a_name_that_may_mean_more() {
    are_hidden(
        "\"YWxpY2U6aHVudGVyMg==\"",
        &["{\"auths\":{\"host\":{\"auth\":{}}}}", "auth = {}", "Login { user: \"a\", auth: {} }"],
    );
    are_hidden("YWxpY2U6aHVudGVyMg==", &["//host/:_auth={}", "auth={} x", "?auth={}&x=1"]);
    are_hidden("Basic YWxpY2U6aHVudGVyMg==", &["auth: {}"]);
    are_hidden("YWxpYabcdeXaVyMg==", &["auth={} x", "of the registry auth: {}"]);
    for sign in "-_.~+/=%".chars() {
        are_hidden(&format!("aB3dE5fG7h{sign}aB3dE5fG7h"), &["auth={} x"]);
    }
    are_hidden("Some(\"e72e16c7e42f292c6912\")", &["auth: {}, x"]);
    are_seen(&[
        "auth=enabled",
        "auth: SCRAM-SHA-256-PLUS",
        "auth=scram-sha-256",
        "auth=scram-sha-256-plus",
        "auth=aB3dE5fG7haB3dE",
        "auth=client_secret_post",
        "auth: PasswordAuthentication",
        "auth: none, tls: on",
        "auth service: e72e16c7e42f292c6912",
        "auth_id=e72e16c7e42f292c6912",
    ]);
}

#[test]
fn passwords_with_spaces_in_urls() {
    are_hidden(
        "my pass word",
        &[
            "postgres://alice:{}@my-host/db",
            "redis://:{}@host:6379 x",
            "amqp://a:{}@10.0.0.1:5672/",
        ],
    );
    are_seen(&[
        "docker://app:latest is up, write to alice@example.com: thanks",
        "http://host:8080 and alice@example.com/x",
        "http://host/a:b alice@example.com/x",
        "http://host: see alice@example.com/x",
        "http://host x:y@host/z",
        "a://b:c \"alice@host/x",
        "a://b:c 'alice@host/x",
        "a://b:c <alice@host/x",
        "a://b:c >alice@host/x",
        "a://b:c\ralice@host/x",
        "a://b:c\nalice@host/x",
        "a://b:c d://host/alice@x/y",
    ]);
}

#[test]
fn private_keys_by_their_own_label() {
    for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
    {
        let key = format!("-----BEGIN {label}-----\nMIIB\nAA\n-----END {label}-----");
        are_hidden(&key, &["{}", "key: {}\nuser: alice", "a {} b", "\"{}\""]);
        are_hidden(&key.replace('\n', "\\n"), &["\"{}\\nuser\""]);
    }
    are_hidden("-----BEGIN PRIVATE KEY-----\nMIIB", &["read {}"]);
    are_seen(&[
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY----- PRIVATE KEY",
        "---------- PRIVATE KEY ----------",
    ]);
}

#[test]
fn types_with_names_in_them() {
    are_hidden(
        "inner: \"hunter2\", other: [1, 2]",
        &[
            "Password { {} }",
            "x(Secret { {} })",
            "DbPassword {\n    {}\n}",
            "Some(ApiToken { {} })",
        ],
    );
    are_seen(&[
        "InvalidToken { at: 7 }",
        "TokenUsage { all: 7 }",
        "Secret { .. }",
        "Token {} is not one",
        "token { rate: 5 }",
        "Password{a: 7}",
    ]);
}

#[test]
fn tokens_that_are_names_of_users_in_urls() {
    are_hidden("aB3dE5fG7h_aB3dE5fG7h", &["https://{}@host/x.git"]);
    are_hidden("sk_live_aB3dE5fG7haB3d:", &["https://{}@host/"]);
    are_hidden("aB3dE5fG7h-aB3dE5fG7h", &["https://{}@host/"]);
    are_hidden("aB3dE5fG7h_aB3dE5fG7h:x-oauth-basic", &["https://{}@host/"]);
    are_seen(&[
        "ssh://git@host/x",
        "https://a-name-without-any-digits@host/",
        "https://alice.and.2.others.of.it@host/",
        "https://aB3dE5fG7h_aB3dE5fG@host/",
    ]);
}

#[test]
fn names_with_something_around_them() {
    are_hidden(
        SECRET,
        &[
            // What `Debug` made of a text of several lines.
            "\"a=1\\npin={}\"",
            "\"a\\n\\tsigning key: {}\"",
            "\"a\\rpin={}\"",
            "C:\\token={}",
            "\\\\npin={}",
            "\\u0022pin\\u0022:{}",
            "pin[]={}",
            "pin.x={}",
            "pin[12]={}",
            "user[pin]={}",
            "user%5Bpin%5D={}",
            "pin%5b%5d={}",
            "pin%5B%5D={}",
            "\"pin\"\u{200b}={}",
            "p\u{ad}in={}",
            "p\u{2060}in={}",
            "pin\u{1b}[1;31m={}",
            "pin%253d{}",
            "a%253Apin%253A{}",
            "**pin**: {}",
            "pin\u{a0}:\u{a0}{}",
            "pin\u{200b}=\u{feff}{}",
            "p\u{200b}in={}",
            "\u{1b}[3mpin\u{1b}[0m\u{1b}[2m=\u{1b}[0m\u{1b}[32m{}",
            "next=https%253A%252F%252Fhost%253Fa%253D1%2526pin%253D{}%2526b%253d2",
            "a%253A%2522pin%2522%253a{}",
        ],
    );
    are_seen(&[
        "a[1]=2",
        "x\u{1b}[31mred\u{1b}[0m: y",
        "am: x",
        "\u{1b}[xm: y",
        "temp\\new=1",
        "npin=1 rpin=2",
    ]);
}

#[test]
fn values_in_quotes_of_others() {
    are_hidden("\\u0022a b c\\u0022", &["{\\u0022pin\\u0022:{},\\u0022x\\u0022:1}"]);
    are_hidden("&quot;a b c&quot;", &["&quot;pin&quot;:{},&quot;x&quot;:1", "pin={}"]);
    are_hidden("&#34;a b c&#34;", &["&#34;pin&#34;:{},x"]);
    are_hidden("\"\"\"\na \"b\"\nc\"\"\"", &["pin = {}\nx = 1"]);
    are_hidden("“a b”", &["pin: {} x"]);
    are_hidden("«a b»", &["pin: {} x"]);
    are_hidden("\\u0022a b", &["pin: {}"]);
}

#[test]
fn lists_below_a_name() {
    are_hidden("- a\n- b", &["passwords:\n{}\nuser: x"]);
    are_hidden("- name: a\n    value: b\n\n  - c", &["x:\n  secret:\n  {}\n  user: x"]);
    are_seen(&["passwords changed:\n- alice"]);
}

#[test]
fn secrets_of_several_words() {
    are_hidden(
        "correct horse battery 7",
        &["passphrase: {}", "mnemonic={}, x", "seed phrase: {}; x", "mnemonic: {} user=alice"],
    );
    are_hidden("\"correct horse\"", &["passphrase: {} is wrong"]);
    are_hidden("correct horse", &["mnemonic: {}  x"]);
    are_seen(&["search phrase: good morning"]);
}

#[test]
fn elements_by_what_is_in_them() {
    are_hidden(
        SECRET,
        &[
            "<name>fs.s3a.secret.key</name><value>{}</value>",
            "<name>password</name>\n  <value>{}</value>",
            "<entry key=\"password\">{}</entry>",
            "<property id='1' name='api_key'>{}</property>",
        ],
    );
    are_hidden("\"hunter2\"", &["<input type=\"password\" value={}>"]);
    are_hidden("<value>hunter2</value>", &["<password>{}</password>", "<a:pin>{}</a:pin>"]);
    are_hidden("<value>hunter2</pinned>", &["<pin>{}</pin>"]);
    are_seen(&[
        "<name>user</name><value>alice</value>",
        "<value>alice</value>",
        "<token/>abc<x>",
        "<pin><a>not closed",
        "<pin <b>x</b>",
        "<entry key=\"user\">alice</entry>",
        "<entry value=\"password\">x</entry>",
    ]);
}

#[test]
fn names_that_are_sensitive_alone() {
    let keys = RedactedKeys::default();
    assert!(keys.is_sensitive("pass") && keys.is_sensitive("PASS"));
    assert!(!keys.is_sensitive("render_pass") && !keys.is_sensitive("pass_rate"));
    assert!(!keys.clone().except("pass").is_sensitive("pass"));
    assert!(keys.and("pass").is_sensitive("render_pass"));
    assert!(!RedactedKeys::insecure_none().is_sensitive("pass"));
    are_hidden(SECRET, &["pass={}", "user=alice pass={} x", "pass: {}", "(pass: {})"]);
    are_hidden("\"a b\"", &["{ user: \"alice\", pass: {} }", "{\"pass\":{}}"]);
    are_seen(&["pass=12 fail=3", "pass: true", "pass=false", "first pass: done", "pass rate: 99%"]);
}

#[test]
fn ordinary_lines_stay_as_they_are() {
    are_seen(&[
        "tokens=512 input_tokens=12 total_tokens: 102",
        "key=user:42",
        "cache key: user:42",
        "password reset requested",
        "pass rate 99%",
        "author=alice authors: alice, bob",
        "auth=enabled authorized: true",
        "session=42 started",
        "primary key: id, foreign key: x.y, public_key=abc",
        "keyboard: us, monkey=1",
        "GET /tokens?limit=5&code=404",
        "error code: 404, exit code: 1, zip code: 12345, country_code=DE",
        "unexpected token: `}` at 7",
        "invalid token at line 3: x",
        "tokenizer=bpe, bypass=1, passes=3, passed: 12, compass: north",
        "pinned=true, pinging host=a",
        "cookies enabled: true, cookie_count=3, salt_length=16",
        "hash=abc digest: sha256:abc checksum=abc etag=abc",
        "token_expires_at=7 password_changed_at=8 mfa_token_required=true otp_enabled=true",
        "url=https://host:8080/a@b, see https://user@host/x",
        "git@host:x/y.git, email: alice@example.com",
        "time: 12:30:45, 2026-11-23T17:43:11Z: up, [::1]:8080",
        "std::sync::Arc<T>, Option<Password>, HashMap<Token, Secret>, if a < b && c > d",
        "a -- b, range 1--5, i--, foo--bar=1, ---------- section ----------",
        "column \"password\" does not exist, relation \"tokens\" does not exist",
        "SELECT id, token FROM t WHERE id = 7",
        "SELECT password FROM users WHERE name = 'x'",
        "2 token(s) used, Token() f(x) = y, (\"a\", \"b\")",
        "{\"name\":\"user\",\"value\":\"alice\"} {\"type\":\"user\",\"value\":\"alice\"}",
        "100%: done, a%3Db%3Ac, a%20b=c, 50%25: x, a%253Db",
        "seed=42, random seed: 42, keys: [1, 2], api: v1",
        "cert=/a/b.pem key_path=/a/b.pem tls=1.3 ssl=on",
        "consumer group: x, app_version=1, credit: 5, credits=7",
    ]);
}

#[test]
fn quotes_in_headers_and_values_that_go_on_behind_them() {
    for value in ["&quot;a=1&quot;; b=X", "“a”; session=X"] {
        assert_eq!(seen(&format!("Cookie: {}", value.replace('X', SECRET))), "Cookie: [REDACTED]");
    }
    for value in ["“a”X", "&quot;a&quot;X", "«a»X", "\"\"\"a\"\"\"X"] {
        let shown = seen(&format!("password={} x", value.replace('X', SECRET)));
        assert_eq!(shown, "password=[REDACTED] x", "{value}");
    }
}

#[test]
fn where_values_end() {
    are_hidden("\"a\"\\\"hunter2\\\"", &["pin={} x", "pin={}, x"]);
    are_seen(&["{\"a\":\"b\"} x\\\"c\\\""]);
    are_hidden("`a b`", &["pin: {} x"]);
    for value in ["\"(a b\"", "(a \"?b)\" c)", "a\"b c\"d", "\"a\"\\\"(b\\\"", "'?a b'", "it's"] {
        are_hidden(value, &["pin={} x"]);
    }
    are_hidden("\"a\"", &["pin={}\\x y"]);
    are_hidden("a+b", &["pin={} {x}"]);
    are_hidden("My_Value { a: \"b\" }", &["cookie: {}, x"]);
    are_hidden(SECRET, &["pin={}; x", "`pin={}` x", "'pin={}' x"]);
    for sign in "_-./+@#$%^*!~éש".chars() {
        are_hidden(&format!("\"a\"{sign}{SECRET}"), &["password={} x"]);
    }
    for wrapped in ["(a b)", "[a b]", "{a b}"] {
        are_hidden(wrapped, &["cookie: {} x"]);
    }
    are_hidden("a b; c", &["cookie: {}\nx", "cookie: {}\r\nx"]);
    are_hidden("Basic\thunter2", &["x_api_key: {}"]);
    are_hidden(
        "Basic hunter2",
        &[
            "\"x_api_key: {}\" x",
            "'x_api_key: {}' x",
            "{x_api_key: {}} x",
            "[x_api_key: {}] x",
            "(x_api_key: {}) x",
            "x_api_key: {}\nx",
            "x_api_key: {}\rx",
        ],
    );
    are_hidden(
        "correct horse",
        &[
            "mnemonic: {} user: x",
            "mnemonic: {} user_id=x",
            "mnemonic: {} user-id=x",
            "mnemonic: {} user.id=x",
        ],
    );
    are_hidden(
        SECRET,
        &[
            "pin%3D{} x",
            "pin%3D{}&x",
            "\"pin%3D{}\"",
            "'pin%3D{}'",
            "<a pin%3D{}>",
            "<a>pin%3D{}</a>",
        ],
    );
}

#[test]
fn values_of_names_that_are_values() {
    are_hidden(
        SECRET,
        &[
            "name='password' value={}",
            "{\\\"name\\\":\\\"password\\\",\\\"value\\\":{}}",
            "name==password value={}",
            "name=>password value={}",
            "name:\tpassword, value: {}",
        ],
    );
    are_hidden("{\"a\":\"x\"}", &["[\"password\", {}, true]"]);
    are_hidden(SECRET, &["secret: |-\n  {}\nx", "secret: |+\n  {}\nx", "secret:\n\t{}\nx"]);
    let apart = ".".repeat(200);
    are_seen(&[
        &format!("name=password {apart} value=x"),
        &format!("<name>password</name>{apart}<value>x</value>"),
    ]);
    are_hidden("abcd", &["Token({})"]);
    are_hidden("A1", &["Token({})"]);
    are_hidden(
        "p",
        &["http://u:{}@h'a@b", "http://u:{}@h\"a@b", "http://u:{}@h<a@b", "http://u:{}@h>a@b"],
    );
    are_hidden("123456/x", &["http://a:{}@y"]);
    are_hidden("80x/y", &["http://a:{}@h"]);
    are_seen(&[
        "see http://host:name",
        "{\"url\":\"http://h:p\",\"mail\":\"a@b\"}",
        "  passwords:\n- alice",
        "<a><token/>abc</a>",
        "https://host:80?x=@b",
        "https://host:80#@b",
    ]);
}
