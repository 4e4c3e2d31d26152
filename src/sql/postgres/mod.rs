//! PostgreSQL: many writers, one counter of arrivals.
