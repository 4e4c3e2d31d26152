//! What a prune says of itself in `audit_prunes`, written once for the driver of each database.

/// The part of `$tables` that reads and writes it.
macro_rules! runs_over {
    ($tables:ident, $database:ty) => {
        impl $tables {
            async fn try_note(
                texts: &Texts,
                connection: &mut Connection<$database>,
                run: &Run,
            ) -> sqlx::Result<()> {
                // Added to what stands there, which can be more than is known here: a step whose end
                // nobody was told of, because the connection was lost with the answer.
                let done = sqlx::query(AssertSqlSafe(Arc::clone(&texts.update_run)))
                    .bind(run.ended.map(Timestamp::as_micros))
                    .bind(run.going.cast_signed())
                    .bind(run.oldest.map(Timestamp::as_micros))
                    .bind(run.newest.map(Timestamp::as_micros))
                    .bind(run.counts.as_str())
                    .bind(i64::from(run.complete))
                    .bind(run.id.as_str())
                    .execute(&mut *connection)
                    .await?;
                if done.rows_affected() > 0 {
                    return Ok(());
                }
                sqlx::query(AssertSqlSafe(Arc::clone(&texts.insert_run)))
                    .bind(run.ended.map(Timestamp::as_micros))
                    .bind(run.removed.cast_signed())
                    .bind(run.oldest.map(Timestamp::as_micros))
                    .bind(run.newest.map(Timestamp::as_micros))
                    .bind(run.counts.as_str())
                    .bind(i64::from(run.complete))
                    .bind(run.id.as_str())
                    .bind(run.started.as_micros())
                    .bind(run.by.as_str())
                    .bind(run.digest.as_str())
                    .bind(run.policy.as_str())
                    .execute(connection)
                    .await?;
                Ok(())
            }

            async fn try_noted(&mut self, run: &Run) -> Result<u64, OpenError> {
                let mut connection = self.take().await?;
                Self::try_note(&self.texts, &mut connection, run).await?;
                let text = AssertSqlSafe(Arc::clone(&self.texts.removed_by));
                let stands = sqlx::query_scalar::<_, i64>(text).bind(run.id.as_str());
                let removed = stands.fetch_one(&mut connection).await?;
                self.connection = Some(connection);
                Ok(removed.cast_unsigned())
            }

            async fn try_last_whole(
                &mut self,
                digest: &str,
                up_to: Timestamp,
            ) -> Result<Option<Timestamp>, OpenError> {
                let mut connection = self.take().await?;
                let text = AssertSqlSafe(Arc::clone(&self.texts.last_whole));
                let last = sqlx::query_scalar::<_, i64>(text)
                    .bind(digest)
                    .bind(up_to.as_micros())
                    .fetch_optional(&mut connection)
                    .await?;
                self.connection = Some(connection);
                Ok(last.map(Timestamp::from_micros))
            }

            async fn try_last_policy(&mut self) -> Result<Option<(String, String)>, OpenError> {
                let mut connection = self.take().await?;
                let row = sqlx::query(AssertSqlSafe(Arc::clone(&self.texts.last_policy)))
                    .fetch_optional(&mut connection)
                    .await?;
                self.connection = Some(connection);
                let Some(row) = row else { return Ok(None) };
                Ok(Some((row.try_get(0)?, row.try_get(1)?)))
            }
        }
    };
}
pub(super) use runs_over;
