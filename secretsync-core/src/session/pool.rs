//! Sessions that stores of one identity share.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Authenticator, Session};

/// The sessions in use, by identity.
///
/// The key MUST hold everything that decides who logs in where, and who may: the server, how the connection is trusted, the method, and the
/// credentials behind its references by [`CredentialSource::identity`](crate::provider::CredentialSource::identity), for a reference means something else in
/// each namespace. Two stores with equal keys use one login.
pub struct SessionPool<K, A: Authenticator>(Arc<Mutex<HashMap<K, Member<A>>>>);

struct Member<A: Authenticator> {
    session: Arc<Session<A>>,
    users: usize,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static, A: Authenticator> SessionPool<K, A> {
    /// A pool without sessions.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// The session of an identity, made by `make` if nobody uses it yet.
    pub fn join(&self, key: &K, make: impl FnOnce() -> Session<A>) -> SharedSession<A> {
        let mut members = lock(&self.0);
        let member = members.entry(key.clone()).or_insert_with(|| Member { session: Arc::new(make()), users: 0 });
        member.users += 1;
        let session = Arc::clone(&member.session);
        drop(members);
        let (pool, key) = (Arc::clone(&self.0), key.clone());
        let leave = move || {
            let mut members = lock(&pool);
            let Some(member) = members.get_mut(&key) else { return false };
            member.users -= 1;
            let last = member.users == 0;
            if last {
                members.remove(&key);
            }
            last
        };
        SharedSession { session, leave: Some(Box::new(leave)), left: AtomicBool::new(false) }
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static, A: Authenticator> Default for SessionPool<K, A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, A: Authenticator> Clone for SessionPool<K, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, A: Authenticator> fmt::Debug for SessionPool<K, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionPool").field("sessions", &lock(&self.0).len()).finish()
    }
}

/// One user's part of a session: the session is closed with the last of them.
pub struct SharedSession<A: Authenticator> {
    session: Arc<Session<A>>,
    /// Leaves the pool, and says whether nobody else is left.
    leave: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    left: AtomicBool,
}

impl<A: Authenticator> SharedSession<A> {
    /// A session that nobody shares.
    pub fn alone(session: Session<A>) -> Self {
        Self { session: Arc::new(session), leave: None, left: AtomicBool::new(false) }
    }

    /// Ends this user's part, and the session if nobody else has one. Using it afterwards works, for as long as this value lives.
    pub async fn close(&self) {
        let last = match &self.leave {
            Some(_) => self.leave(),
            None => true,
        };
        if last {
            self.session.close().await;
        }
    }

    fn leave(&self) -> bool {
        !self.left.swap(true, Ordering::Relaxed) && self.leave.as_ref().is_some_and(|leave| leave())
    }
}

impl<A: Authenticator> Deref for SharedSession<A> {
    type Target = Session<A>;

    fn deref(&self) -> &Session<A> {
        &self.session
    }
}

impl<A: Authenticator> Drop for SharedSession<A> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<A: Authenticator> fmt::Debug for SharedSession<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.session.fmt(f)
    }
}

fn lock<K, A: Authenticator>(members: &Mutex<HashMap<K, Member<A>>>) -> MutexGuard<'_, HashMap<K, Member<A>>> {
    members.lock().unwrap_or_else(PoisonError::into_inner)
}
