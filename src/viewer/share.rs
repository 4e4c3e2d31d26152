//! What one reader may have at once, so that nobody alone keeps the others out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::failure::Failure;

/// How many questions of one reader are with the store at once: half of those that it answers.
const QUESTIONS: usize = 2;

/// How long a question waits for the others of its reader before it is answered with 429.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much of one kind each reader has, by [`reader_key`](super::reads::reader_key). What nobody has
/// is not in it.
#[derive(Debug)]
pub(super) struct Shares {
    most: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    key: String,
}

impl Shares {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            taken: Mutex::default(),
        })
    }

    /// None when the reader has as many as it may.
    pub(super) fn take(self: &Arc<Self>, key: &str) -> Option<Share> {
        if self.most == 0 {
            return None;
        }
        let mut taken = self.taken();
        let own = taken.entry(key.to_owned()).or_default();
        if *own >= self.most {
            return None;
        }
        *own += 1;
        Some(Share {
            shares: Arc::clone(self),
            key: key.to_owned(),
        })
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken();
        if let Some(own) = taken.get_mut(&self.key) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

/// The questions under way of each reader: the next one waits, and keeps none of the store's turns
/// meanwhile.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// Of readers who ask, or asked lately.
    turns: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A question's turn, until it is dropped.
pub(super) type Turn = Option<OwnedSemaphorePermit>;

impl Questions {
    /// Waits for a turn as long as it takes: for what is bounded in number itself.
    pub(super) async fn turn(&self, key: &str) -> Turn {
        // Never closed, so that this cannot fail.
        self.of(key).acquire_owned().await.ok()
    }

    /// Waits for a turn, but not for ever.
    pub(super) async fn turn_in_time(&self, key: &str) -> Result<Turn, Failure> {
        let turn = timeout(PATIENCE, self.turn(key)).await;
        turn.map_err(|_elapsed| Failure::TooMany)
    }

    fn of(&self, key: &str) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = turns.get(key).and_then(Weak::upgrade) {
            return own;
        }
        // Who asks nothing now is forgotten, so that there are no more than questions.
        turns.retain(|_, turn| turn.strong_count() > 0);
        let own = Arc::new(Semaphore::new(QUESTIONS));
        turns.insert(key.to_owned(), Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_its_share_and_leaves_others_theirs() {
        let shares = Shares::new(2);
        let (first, second) = (shares.take("a").unwrap(), shares.take("a"));
        assert!(second.is_some() && shares.take("a").is_none());
        assert!(shares.take("b").is_some());
        drop(first);
        assert!(shares.take("a").is_some());
        drop(second);
        assert!(shares.taken().is_empty());
        assert!(Shares::new(0).take("a").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_waits_for_those_of_its_reader_and_not_for_ever() {
        let questions = Questions::default();
        let under_way = [questions.turn("a").await, questions.turn("a").await];
        assert_eq!(
            questions.turn_in_time("a").await.unwrap_err(),
            Failure::TooMany
        );
        assert!(questions.turn_in_time("b").await.unwrap().is_some());
        drop(under_way);
        assert!(questions.turn_in_time("a").await.unwrap().is_some());
        questions.of("c");
        assert_eq!(questions.turns.lock().unwrap().len(), 1);
    }
}
