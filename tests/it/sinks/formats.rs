//! Records in the words of other systems, from the outside.
