//! A receiver of webhooks on loopback that can be closed and opened again at the same address.

use crate::hmac::hmac_sha256;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wheelwright::notify::REPLAY_WINDOW_SECS;

/// What signs.
pub(crate) const KEY: &str = "a-key-of-the-receiver-0123456789";

/// What came, in the order that it came: the head's fields by name in small letters, and the body.
type Requests = Arc<Mutex<Vec<(BTreeMap<String, String>, String)>>>;

pub(crate) struct Hook {
    address: SocketAddr,
    requests: Requests,
    /// How often who sends was killed.
    kills: usize,
    serving: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Hook {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut hook =
            Self { address: listener.local_addr().unwrap(), requests: Requests::default(), kills: 0, serving: None };
        hook.serve(listener);
        hook
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Nobody listens at its address from now on.
    pub(crate) fn close(&mut self) {
        let Some((is_over, thread)) = self.serving.take() else { return };
        is_over.store(true, Ordering::SeqCst);
        // It waits for somebody to come.
        drop(TcpStream::connect(self.address));
        thread.join().unwrap();
    }

    pub(crate) fn open_again(&mut self) {
        self.serve(TcpListener::bind(self.address).unwrap());
    }

    fn serve(&mut self, listener: TcpListener) {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, requests) = (Arc::clone(&is_over), Arc::clone(&self.requests));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                take(stream.unwrap(), &requests);
            }
        });
        self.serving = Some((is_over, thread));
    }

    /// Who sends was killed. What was taken just before, and not yet noted as taken, may come once more: told at least once.
    pub(crate) fn sender_was_killed(&mut self) {
        self.kills += 1;
    }

    /// The messages so far, each once. Each is signed by whom it should be, lately, and none came twice without a kill between.
    pub(crate) fn messages(&self) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        let mut ids = BTreeSet::new();
        let (first, again): (Vec<_>, Vec<_>) =
            requests.iter().partition(|(head, _)| ids.insert(head["x-wheelwright-alert"].as_str()));
        assert!(again.len() <= self.kills, "messages came twice, with {} kills: {again:#?}", self.kills);
        first
            .into_iter()
            .map(|(head, body)| {
                let signature = &head["x-wheelwright-signature"];
                let (seconds, digits) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
                let now_secs = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
                assert!(seconds.parse::<u64>().unwrap().abs_diff(now_secs) <= REPLAY_WINDOW_SECS, "{signature}");
                assert_eq!(digits, hmac_sha256(KEY, &format!("{seconds}.{body}")), "signed by somebody else");
                let message: Value = serde_json::from_str(body).unwrap();
                assert_eq!(message["id"].as_str(), Some(head["x-wheelwright-alert"].as_str()));
                message
            })
            .collect()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reads one request, keeps it, and says that it was taken. Who connects and says nothing is nobody.
fn take(mut stream: TcpStream, requests: &Requests) {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let (mut bytes, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
            let fields: BTreeMap<String, String> =
                fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
            if body.len() >= fields["content-length"].parse::<usize>().unwrap() {
                requests.lock().unwrap().push((fields, body.to_owned()));
                break;
            }
        }
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return,
        }
    }
    _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}
