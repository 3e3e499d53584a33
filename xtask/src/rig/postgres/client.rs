//! As much of `PostgreSQL`'s protocol as it takes to log in and to read a column.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

const PROTOCOL: u32 = 3 << 16;

/// A session of one user.
#[derive(Debug)]
pub(super) struct Connection(TcpStream);

impl Connection {
    /// Logs in. `None` when the server refuses user or password.
    pub(super) fn open(port: u16, user: &str, password: &str) -> Result<Option<Self>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("failed to connect to PostgreSQL")?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut connection = Self(stream);
        let mut hello = PROTOCOL.to_be_bytes().to_vec();
        for text in ["user", user, "database", "postgres", ""] {
            hello.extend_from_slice(text.as_bytes());
            hello.push(0);
        }
        connection.send(None, &hello)?;
        loop {
            match connection.receive()? {
                // It asks for the password in clear.
                (b'R', body) if body.starts_with(&3_u32.to_be_bytes()) => {
                    connection.send(Some(b'p'), format!("{password}\0").as_bytes())?;
                }
                (b'R', body) if !body.starts_with(&0_u32.to_be_bytes()) => {
                    bail!("it asks for another kind of password")
                }
                (b'Z', _) => return Ok(Some(connection)),
                // Class 28: wrong password, no such user, expired.
                (b'E', body) if code(&body).starts_with("28") => return Ok(None),
                (b'E', body) => bail!("PostgreSQL says {}", code(&body)),
                _ => {}
            }
        }
    }

    /// Runs a statement; the first column of its rows.
    pub(super) fn query(&mut self, statement: &str) -> Result<Vec<String>> {
        self.send(Some(b'Q'), format!("{statement}\0").as_bytes())?;
        let mut rows = Vec::new();
        let mut failure = None;
        loop {
            match self.receive()? {
                // Number of columns, then length and text of each.
                (b'D', body) => rows.push(first_column(&body).context("failed to read a row")?),
                (b'E', body) => failure = Some(code(&body)),
                (b'Z', _) => break,
                _ => {}
            }
        }
        match failure {
            Some(code) => bail!("PostgreSQL says {code} to {statement}"),
            None => Ok(rows),
        }
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> Result<()> {
        let mut message: Vec<u8> = kind.into_iter().collect();
        message.extend_from_slice(&u32::try_from(body.len() + 4)?.to_be_bytes());
        message.extend_from_slice(body);
        self.0.write_all(&message).context("failed to write to PostgreSQL")
    }

    fn receive(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).context("failed to read from PostgreSQL")?;
        let [kind, length @ ..] = head;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length))?.saturating_sub(4)];
        self.0.read_exact(&mut body).context("failed to read from PostgreSQL")?;
        Ok((kind, body))
    }
}

fn first_column(body: &[u8]) -> Option<String> {
    let length = usize::try_from(u32::from_be_bytes(body.get(2..6)?.try_into().ok()?)).ok()?;
    Some(String::from_utf8_lossy(body.get(6..6 + length)?).into_owned())
}

/// The SQLSTATE of an error: the field `C`.
fn code(body: &[u8]) -> String {
    let field = body.split(|byte| *byte == 0).find(|field| field.first() == Some(&b'C'));
    field.map(|field| String::from_utf8_lossy(&field[1..]).into_owned()).unwrap_or_default()
}
