//! A binary of its own, because it starts itself as a child: what is killed, or starved of its
//! disk, or measured, is a whole process.
//!
//! Run with `cargo test --all-features --test crash`, or a part of it with a word of its name after
//! `--`: `cargo test --all-features --test crash -- kill`.
//!
//! | variable | means | default |
//! |---|---|---|
//! | `AUDIT_KILL_ROUNDS` | rounds of the kill test | 20 |
//! | `AUDIT_KILL_SEED` | what its random moments follow from; each run prints its own | by chance |
//! | `AUDIT_TEST_RECORDS` | records that wait in the memory test | 1000000 |
//! | `AUDIT_TEST_REQUIRE` | `1`: what cannot be tested here is a failure, not a skip | |

#[cfg(test)]
mod cases;
#[cfg(test)]
mod check;
#[cfg(test)]
mod child;
#[cfg(test)]
mod fault;
#[cfg(test)]
mod found;
#[cfg(test)]
mod full;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod place;
#[cfg(test)]
mod program;
#[cfg(test)]
mod random;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(program::CHILD) {
        return child::main(&args.collect::<Vec<_>>());
    }
    cases::main(&[
        ("kill test", kill::kill_test),
        ("pair test", pair::pair_test),
        ("outbox test", outbox::outbox_test),
        ("fault test", fault::fault_test),
        ("memory test", memory::memory_test),
        ("full volume test", full::full_test),
    ])
}

#[cfg(not(test))]
fn main() {}
