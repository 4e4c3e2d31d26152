//! What can only be seen from inside: the plans of the databases, and how far a walk goes.

mod place;
mod plans;
mod walks;
