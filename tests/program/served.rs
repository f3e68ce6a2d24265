//! A simulated AWS on a loopback port of this process, so that a test can change what the program meets.

use super::Endpoint;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use wheelwright::sim::{SimulatedAws, tcp};
use wheelwright::stage::OPERATOR_ACCOUNT;

/// The simulated AWS and the operator's way to it. Its time goes with the machine's.
pub(crate) struct Served {
    world: Arc<Mutex<SimulatedAws>>,
    /// What its clock is ahead of the machine's by, in milliseconds.
    ahead_ms: Arc<Mutex<i64>>,
    pub(crate) endpoint: Endpoint,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn start(mut aws: SimulatedAws) -> Self {
        let ahead_ms = Arc::new(Mutex::new(0));
        aws.set_now_ms(now_ms());
        let key = aws.mint_root_key(OPERATOR_ACCOUNT);
        let world = Arc::new(Mutex::new(aws));
        let (stop, stopped) = oneshot::channel();
        let (told, address) = std::sync::mpsc::channel();
        let (served, ahead) = (Arc::clone(&world), Arc::clone(&ahead_ms));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                let stop = async { _ = stopped.await };
                let ticking = Arc::clone(&served);
                tokio::select! {
                    served = tcp::serve(listener, served, stop) => served.unwrap(),
                    () = keep_time(&ticking, &ahead) => {}
                }
            });
        });
        let endpoint = Endpoint {
            url: format!("http://{}", address.recv().unwrap()),
            access_key_id: key.access_key_id,
            secret_access_key: key.secret_access_key,
        };
        Self { world, ahead_ms, endpoint, stop: Some(stop), thread: Some(thread) }
    }

    /// The world, to change it or to look at it.
    pub(crate) fn aws(&self) -> MutexGuard<'_, SimulatedAws> {
        self.world.lock().unwrap()
    }

    /// Sets AWS's clock ahead of the machine's, or behind it.
    pub(crate) fn set_ahead(&self, seconds: i64) {
        *self.ahead_ms.lock().unwrap() = seconds * 1_000;
        self.aws().set_now_ms(now_ms() + seconds * 1_000);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        _ = self.stop.take().map(|stop| stop.send(()));
        _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn keep_time(world: &Mutex<SimulatedAws>, ahead_ms: &Mutex<i64>) {
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let ahead_ms = *ahead_ms.lock().unwrap();
        world.lock().unwrap().set_now_ms(now_ms() + ahead_ms);
    }
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
