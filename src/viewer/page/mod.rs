//! The pages: pure functions from what the service found to markup.
//!
//! | address | made by |
//! |---|---|
//! | `/` | [`head_and_table(&View, &Table)`], then [`histogram(&View, &Search, Option<&Histogram>)`] |
//! | `/actors/{id}` | [`actor(&View, &ActorPage)`], then the same histogram |
//! | `/records/{id}` | [`detail(&View, &Detail)`] |
//! | `/destinations` | [`destinations(&View, &Destinations)`] |
//! | `/exports` | [`exports(&View, &Exports)`] |
//! | `/live` | [`row(&View, &Entry)`] for each event |
//! | `/assets/viewer.css`, `/assets/viewer.js` | [`CSS`], [`JS`] |
//! | what fails | [`failure(&View, Failure)`] |
//!
//! The first chunk of a page with a histogram leaves its document open, the histogram closes it;
//! none instead of a histogram says that counting took too long. [`zone`] finds the zone of a
//! reader, [`local`] reads the times of the form, which have no zone.
