//! A receiver on loopback that reads requests as they come off the wire and answers as it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// With these bytes; then it closes.
    Text(String),
    /// With this status and all that it was sent.
    Echo(u16),
    /// Not at all.
    Hang,
    /// With this status and a body without an end.
    Endless(u16),
    /// It reads what comes first, says something that is not TLS, and closes.
    Raw,
}

impl Answer {
    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self::Text(format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()))
    }
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    /// By name in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    /// What is no text in it is shown as �.
    pub(crate) body: String,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    requests: Mutex<mpsc::UnboundedReceiver<Request>>,
    raw: Mutex<mpsc::UnboundedReceiver<Vec<u8>>>,
    written: Mutex<mpsc::UnboundedReceiver<usize>>,
    connections: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, requests) = mpsc::unbounded_channel();
        let (told_raw, raw) = mpsc::unbounded_channel();
        let (told_written, written) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                if matches!(answer, Answer::Raw) {
                    let mut seen = vec![0; 16 * 1_024];
                    let length = stream.read(&mut seen).await.unwrap();
                    seen.truncate(length);
                    told_raw.send(seen).unwrap();
                    let _ = stream.write_all(b"HTTP/1.1 400 this is no TLS\r\n\r\n").await;
                    continue;
                }
                let (request, text) = read(&mut stream).await;
                let _ = told.send(request);
                if let Some(written) = write(&mut stream, &answer, &text).await {
                    told_written.send(written).unwrap();
                }
            }
        });
        let (requests, raw, written) = (Mutex::new(requests), Mutex::new(raw), Mutex::new(written));
        Self { address, requests, raw, written, connections, serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request.
    pub(crate) async fn request(&self) -> Request {
        self.requests.lock().await.recv().await.unwrap()
    }

    /// The first bytes that came.
    pub(crate) async fn raw(&self) -> Vec<u8> {
        self.raw.lock().await.recv().await.unwrap()
    }

    /// How many bytes of an endless answer could be written before the connection was closed.
    pub(crate) async fn written(&self) -> usize {
        self.written.lock().await.recv().await.unwrap()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Stops listening; nobody does at that address then.
    pub(crate) async fn stop(self) -> SocketAddr {
        self.serving.abort();
        let _ = self.serving.await;
        self.address
    }
}

async fn read(stream: &mut TcpStream) -> (Request, String) {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request ended in its head");
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: BTreeMap<String, String> = lines.filter_map(header).collect();
    let length: usize = headers["content-length"].parse().unwrap();
    while bytes.len() < head_end + 4 + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request ended in its body");
    }
    let body = String::from_utf8_lossy(&bytes[head_end + 4..]).into_owned();
    (Request { line, headers, body }, String::from_utf8_lossy(&bytes).into_owned())
}

async fn write(stream: &mut TcpStream, answer: &Answer, request: &str) -> Option<usize> {
    match answer {
        Answer::Text(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Answer::Echo(status) => {
            let Answer::Text(text) = Answer::status(*status, request) else { unreachable!("status gives a text") };
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Answer::Hang => std::future::pending().await,
        Answer::Endless(status) => {
            let head = format!("HTTP/1.1 {status} x\r\nContent-Type: text/plain\r\n\r\n");
            let mut written = 0;
            stream.write_all(head.as_bytes()).await.unwrap();
            while stream.write_all(&[b'x'; 4_096]).await.is_ok() {
                written += 4_096;
            }
            return Some(written);
        }
        Answer::Raw => {}
    }
    None
}
