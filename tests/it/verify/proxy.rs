//! An HTTP proxy on loopback that knows `CONNECT` alone. Wherever it is told to go, it goes to one
//! server of the test, so that the real endpoints of AWS can be asked without a network.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::stand_in::read_head;

/// A running proxy. It ends with the test process.
#[derive(Clone)]
pub(crate) struct Proxy {
    address: SocketAddr,
    /// Where every tunnel ends; `None`: no tunnel is allowed.
    to: Option<SocketAddr>,
    heads: Arc<Mutex<Vec<String>>>,
    passed: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    pub(crate) fn start(to: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            to,
            heads: Arc::default(),
            passed: Arc::default(),
        };
        let server = proxy.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        proxy
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The hosts that tunnels were asked for, sorted, each once.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let heads = self.heads();
        let mut hosts: Vec<String> = heads
            .iter()
            .map(|head| head.split(' ').nth(1).unwrap().to_owned())
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// The heads of all requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Whatever clients have sent through tunnels.
    pub(crate) fn passed(&self) -> Vec<u8> {
        self.passed.lock().unwrap().clone()
    }

    fn serve(&self, mut client: TcpStream) {
        let Some(head) = read_head(&mut client) else {
            return;
        };
        let is_tunnel = head.starts_with("CONNECT ");
        self.heads.lock().unwrap().push(head);
        let Some(to) = self.to.filter(|_| is_tunnel) else {
            let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            return;
        };
        let mut server = TcpStream::connect(to).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let (mut back_from, mut back_to) =
            (server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut back_from, &mut back_to);
            let _ = back_to.shutdown(Shutdown::Write);
        });
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let piece = &buffer[..length];
            self.passed.lock().unwrap().extend_from_slice(piece);
            if server.write_all(piece).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Write);
    }
}
