//! TCP: listeners of this test, and tables that were recorded.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use obs::process::TcpMetrics;

use super::tree::{Page, Tree, check};

fn state(state: &str) -> String {
    format!(
        "system_network_connections{{network_connection_state=\"{state}\",network_transport=\"tcp\"}}"
    )
}

fn listener(what: &str, port: u16) -> String {
    format!("system_network_listener_{what}{{server_port=\"{port}\"}}")
}

#[test]
fn a_listener_shows_who_is_connected_and_who_waits() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let server = TcpListener::bind(address).unwrap();
        let port = server.local_addr().unwrap().port();
        let clients: Vec<TcpStream> =
            (0..5).map(|_| TcpStream::connect(server.local_addr().unwrap()).unwrap()).collect();
        let source = || TcpMetrics::new().port(port);
        let page = Page::of(source());
        check(&page, &[(&listener("connections", port), 5.0), (&listener("queue", port), 5.0)]);
        assert_eq!(page.0.matches("system_network_listener_queue{").count(), 1);
        let accepted: Vec<_> = (0..3).map(|_| server.accept().unwrap()).collect();
        let page = Page::of(source());
        check(&page, &[(&listener("connections", port), 5.0), (&listener("queue", port), 2.0)]);
        assert!(page.get(&state("established")).unwrap() >= 10.0);
        assert!(page.get(&state("listen")).unwrap() >= 1.0);
        assert_eq!(page.failed("tcp"), 0.0);
        drop((clients, accepted));
    }
}

#[test]
fn who_finds_no_room_in_the_queue_is_counted() {
    let page = Page::of(TcpMetrics::new());
    for name in
        ["listen_overflows", "listen_drops", "tcp_segments", "tcp_retransmissions", "tcp_resets"]
    {
        assert!(page.get(&format!("system_network_{name}_total")).is_some(), "{name}");
    }
}

const HEADING: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

fn line(number: usize, local: &str, state: &str, waiting: usize) -> String {
    format!(
        "{number:4}: {local} 0100007F:C350 {state} 00000000:{waiting:08X} 00:00000000 00000000     0        0 1161 1 000000008f14ec2b 100 0 0 10 0\n"
    )
}

fn recorded() -> Tree {
    let mut four = HEADING.to_owned();
    four += &line(0, "00000000:1F90", "0A", 3);
    for (number, state) in (1..).zip(["01", "01", "06", "03", "0C", "08"]) {
        four += &line(number, "0100007F:1F90", state, 0);
    }
    // A client's: nobody listens at its port.
    four += &line(7, "0100007F:C350", "01", 0);
    // A state that is not known yet.
    four += &line(8, "0100007F:C350", "0D", 0);
    let mut six = HEADING.to_owned();
    six += &line(0, "00000000000000000000000000000000:1F90", "0A", 4);
    six += &line(1, "0000000000000000FFFF00000100007F:1F90", "01", 0);
    Tree::new(&[
        ("proc/self/net/tcp", &four),
        ("proc/self/net/tcp6", &six),
        (
            "proc/self/net/netstat",
            "TcpExt: A ListenOverflows ListenDrops\nTcpExt: 1 247 248\nIpExt: B\nIpExt: 5\n",
        ),
        (
            "proc/self/net/snmp",
            "Ip: OutSegs\nIp: 9\nTcp: OutSegs RetransSegs EstabResets MaxConn\nTcp: 100 5 2 -1\n",
        ),
        (
            "proc/self/net/sockstat",
            "sockets: used 16\nTCP: inuse 1 orphan 6 tw 0 alloc 1 mem 2\nUDP: inuse 0 mem 7\n",
        ),
    ])
}

#[test]
fn tables_are_counted() {
    let tree = recorded();
    let page = Page::of(TcpMetrics::new().at(tree.path()));
    let page_size = 2.0 * 4096.0;
    let memory = page.get("system_network_tcp_memory_bytes").unwrap();
    assert!(memory >= page_size && memory % page_size == 0.0);
    check(
        &page,
        &[
            (&state("established"), 4.0),
            (&state("time_wait"), 1.0),
            (&state("syn_received"), 2.0),
            (&state("close_wait"), 1.0),
            (&state("listen"), 2.0),
            (&state("closing"), 0.0),
            (&listener("connections", 8080), 3.0),
            (&listener("queue", 8080), 7.0),
            ("system_network_listen_overflows_total", 247.0),
            ("system_network_listen_drops_total", 248.0),
            ("system_network_tcp_segments_total", 100.0),
            ("system_network_tcp_retransmissions_total", 5.0),
            ("system_network_tcp_resets_total", 2.0),
            ("system_network_tcp_orphans", 6.0),
        ],
    );
    assert_eq!(page.0.matches("system_network_listener_queue{").count(), 1);
    assert_eq!(page.failed("tcp"), 0.0);
    // A kernel without IPv6.
    tree.remove("proc/self/net/tcp6");
    let page = Page::of(TcpMetrics::new().at(tree.path()));
    check(&page, &[(&listener("queue", 8080), 3.0)]);
    assert_eq!(page.failed("tcp"), 0.0);
}

#[test]
fn of_many_listeners_some_are_shown() {
    let tree = recorded();
    let lines: String =
        (1..1000).map(|port| line(port, &format!("00000000:{port:04X}"), "0A", 0)).collect();
    tree.write("proc/self/net/tcp", format!("{HEADING}{lines}"));
    let page = Page::of(TcpMetrics::new().at(tree.path()));
    assert_eq!(page.0.matches("system_network_listener_queue{").count(), 64);
    let page = Page::of(TcpMetrics::new().port(999).at(tree.path()));
    check(&page, &[(&listener("queue", 999), 0.0)]);
    assert_eq!(page.0.matches("system_network_listener_queue{").count(), 1);
}

#[test]
fn a_table_that_is_too_long_or_broken_gives_no_wrong_numbers() {
    let tree = recorded();
    // It is cut where a line ends.
    let (limit, line) = (32 << 20, line(1, "0100007F:1F90", "01", 0));
    let mut long = " ".repeat(limit % line.len() + line.len() - 1) + "\n";
    while long.len() <= limit {
        long += &line;
    }
    let began = Instant::now();
    for text in [
        long.as_str(),
        "heading\nno table",
        &"x".repeat(1 << 20),
        &format!("{HEADING}   0: 1:10000 2:1 01 0:0"),
    ] {
        tree.write("proc/self/net/tcp", text);
        let page = Page::of(TcpMetrics::new().at(tree.path()));
        assert_eq!(page.get(&state("established")), None);
        assert_eq!(page.get("system_network_listen_overflows_total"), Some(247.0));
        assert_eq!(page.failed("tcp"), 1.0);
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
