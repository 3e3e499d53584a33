//! An API server whose answers make no sense: what was in them is told nowhere, at no log level.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use rustix::process::Signal;
use serde_json::json;

use super::stage::until;
use crate::sandbox::{Sandbox, TOLD};

const CANARY: &str = "canary-7c41";

/// Lists that hold a value and cannot be read: something else is where an object, a text or a list should be, or it is no JSON at all.
fn answers() -> Vec<String> {
    let list = |item| {
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": [item]}).to_string()
    };
    let data = json!({"password": CANARY});
    vec![
        list(json!({"metadata": {"name": "a", "annotations": {"a": [CANARY]}}, "data": data})),
        list(json!({"metadata": {"name": "a", "labels": CANARY}, "data": data})),
        list(json!({"metadata": CANARY, "data": data})),
        list(json!(CANARY)),
        json!({"items": CANARY}).to_string(),
        format!("password: {CANARY}"),
    ]
}

/// Answers every request by the next of these, for ever. Gives the address.
fn serve(answers: Vec<String>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (stream, answer) in listener.incoming().zip(answers.iter().cycle()) {
            // Who hangs up asks again.
            drop(answer_to(&stream.unwrap(), answer));
        }
    });
    address
}

fn answer_to(mut stream: &TcpStream, answer: &str) -> std::io::Result<()> {
    let head = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    head.for_each(drop);
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
        answer.len()
    )
}

#[test]
fn answers_that_cannot_be_read_are_told_without_what_is_in_them() {
    let address = serve(answers());
    let mut sandbox = Sandbox::new();
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "clusters": [{"name": "a", "cluster": {"server": format!("http://{address}")}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "users": [{"name": "a", "user": {}}],
    });
    sandbox.file("kubeconfig", &kubeconfig.to_string());
    sandbox.set("KUBECONFIG", &sandbox.path("kubeconfig").display().to_string());
    let program = env!("CARGO_BIN_EXE_secretsync-operator");
    let operator = sandbox.start_program(program, "--live-addr=0 --metrics-addr=0 --loglevel=trace");
    let failed = || sandbox.text(TOLD).lines().filter(|line| line.contains("a watch failed")).count();
    // Each kind is asked for more than once: every answer was given to somebody.
    until(&true, || failed() > 3 * answers().len());
    assert_eq!(operator.stop(Signal::TERM).0, 0);
    let told = sandbox.text(TOLD);
    let places: Vec<_> = told.lines().filter(|line| line.contains(CANARY)).collect();
    assert!(places.is_empty(), "{places:#?}");
    assert!(told.contains("the answer cannot be read"));
}
