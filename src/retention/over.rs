//! The part of [`Tables`](super::tables::Tables) that is the same for all databases, written once
//! for the driver of each.

/// Makes `$tables` of `$database`. Beside it stands what differs: `key` and
/// `bytes` of an id, `JSON`, `STYLE`, and the gates that transactions begin with.
macro_rules! tables_over {
    ($tables:ident, $database:ty, { $($own:item)* }) => {
        /// The tables of one store.
        #[derive(Debug)]
        pub(super) struct $tables {
            database: $database,
            texts: Texts,
            connection: Option<Connection<$database>>,
        }

        impl $tables {
            pub(super) fn new(database: $database) -> Self {
                Self {
                    texts: Texts::new(|name| database.table(name), STYLE),
                    database,
                    connection: None,
                }
            }

            fn error(&self, error: OpenError) -> TablesError {
                match error {
                    OpenError::Database(error) => {
                        TablesError::of(&error, <$database>::fault(&error))
                    }
                    error => {
                        let reason = error.to_string();
                        TablesError {
                            is_missing: reason == MISSING,
                            ..TablesError::lasting(reason)
                        }
                    }
                }
            }

            /// The connection, out of its place: a call that fails or is dropped closes it.
            async fn take(&mut self) -> Result<Connection<$database>, OpenError> {
                if let Some(connection) = self.connection.take() {
                    return Ok(connection);
                }
                let missing = || OpenError::Repair(MISSING.to_owned());
                if !is_there(&self.database) {
                    return Err(missing());
                }
                let mut connection = self.database.connect().await?;
                let found = self.database.version(&mut connection).await?;
                found.ok_or_else(missing)?;
                migrate(&self.database, &mut connection).await?;
                Ok(connection)
            }

            async fn try_open(&mut self) -> Result<(), OpenError> {
                self.connection = Some(self.take().await?);
                Ok(())
            }

            async fn try_holds(
                texts: &Texts,
                connection: &mut Connection<$database>,
            ) -> sqlx::Result<Vec<Hold>> {
                let rows = sqlx::query(AssertSqlSafe(Arc::clone(&texts.holds)))
                    .fetch_all(connection)
                    .await?;
                let read = |row: &<<$database as Database>::Driver as sqlx::Database>::Row| {
                    let released: Option<i64> = row.try_get(5)?;
                    let mut hold = Hold {
                        id: row.try_get(0)?,
                        filter: None,
                        stored_filter: row.try_get(1)?,
                        reason: row.try_get(2)?,
                        by: row.try_get(3)?,
                        since: Timestamp::from_micros(row.try_get(4)?),
                        released: released.map(Timestamp::from_micros),
                        released_by: row.try_get(6)?,
                    };
                    hold.read_filter();
                    Ok(hold)
                };
                rows.iter().map(read).collect()
            }

            async fn all_holds(&mut self) -> Result<Vec<Hold>, OpenError> {
                let mut connection = self.take().await?;
                let holds = Self::try_holds(&self.texts, &mut connection).await?;
                self.connection = Some(connection);
                Ok(holds)
            }

            async fn active(
                texts: &Texts,
                connection: &mut Connection<$database>,
            ) -> sqlx::Result<Vec<Hold>> {
                let mut holds = Self::try_holds(texts, connection).await?;
                holds.retain(|hold| hold.released.is_none());
                Ok(holds)
            }

            /// Runs a statement on these records.
            async fn run(
                text: String,
                ids: &[Key],
                connection: &mut Connection<$database>,
            ) -> sqlx::Result<u64> {
                let mut statement = sqlx::query(AssertSqlSafe(text));
                for id in ids {
                    statement = statement.bind(key(*id));
                }
                // One for each number of records: not worth remembering.
                let done = statement.persistent(false).execute(connection).await?;
                Ok(done.rows_affected())
            }

            async fn try_remove(
                &mut self,
                ids: &[Key],
                known: &[Hold],
                run: &Run,
            ) -> Result<Removed, OpenError> {
                let mut connection = self.take().await?;
                let texts = &self.texts;
                let mut transaction = self.database.begin(&mut connection).await?;
                gate(texts, &self.database, &mut transaction).await?;
                let holds = Self::active(texts, &mut transaction).await?;
                if holds != known {
                    transaction.rollback().await?;
                    self.connection = Some(connection);
                    return Ok(Removed::Holds(holds));
                }
                Self::run(texts.keep_leaves(ids.len()), ids, &mut transaction).await?;
                let others = texts.other_leaves(ids.len());
                let mut counting = sqlx::query_scalar::<_, i64>(AssertSqlSafe(others));
                for id in ids {
                    counting = counting.bind(key(*id));
                }
                if counting.persistent(false).fetch_one(&mut *transaction).await? > 0 {
                    return Err(OpenError::Repair(OTHER_LEAF.to_owned()));
                }
                Self::run(texts.remove_targets(ids.len()), ids, &mut transaction).await?;
                let text = texts.remove_records(ids.len());
                if Self::run(text, ids, &mut transaction).await? != ids.len() as u64 {
                    transaction.rollback().await?;
                    self.connection = Some(connection);
                    return Ok(Removed::Others);
                }
                Self::try_note(texts, &mut transaction, run).await?;
                transaction.commit().await?;
                self.connection = Some(connection);
                Ok(Removed::Done)
            }

            async fn try_page(
                &mut self,
                after: Key,
                up_to: Key,
                limit: usize,
                with_json: bool,
            ) -> Result<Vec<Candidate>, OpenError> {
                let mut connection = self.take().await?;
                let text = self.texts.page(with_json.then_some(JSON));
                let rows = sqlx::query(AssertSqlSafe(text))
                    .bind(key(after))
                    .bind(key(up_to))
                    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                    .fetch_all(&mut connection)
                    .await?;
                let mut page = Vec::with_capacity(rows.len());
                for row in &rows {
                    page.push(Candidate {
                        id: bytes(row.try_get(0)?)?,
                        timestamp: Timestamp::from_micros(row.try_get(1)?),
                        received: Timestamp::from_micros(row.try_get(2)?),
                        action: row.try_get(3)?,
                        category: row.try_get(4)?,
                        json: row.try_get(5)?,
                    });
                }
                self.connection = Some(connection);
                Ok(page)
            }

            async fn one_key(
                &mut self,
                text: Arc<str>,
                id: Key,
            ) -> Result<Option<Key>, OpenError> {
                let mut connection = self.take().await?;
                let row = sqlx::query(AssertSqlSafe(text))
                    .bind(key(id))
                    .fetch_optional(&mut connection)
                    .await?;
                let key = row.map(|row| bytes(row.try_get(0)?)).transpose()?;
                self.connection = Some(connection);
                Ok(key)
            }

            async fn try_place(&mut self, hold: &Hold) -> Result<(), OpenError> {
                let mut connection = self.take().await?;
                let mut transaction = self.database.begin(&mut connection).await?;
                gate_of_holds(&self.database, &mut transaction).await?;
                sqlx::query(AssertSqlSafe(Arc::clone(&self.texts.place)))
                    .bind(hold.id.as_str())
                    .bind(hold.stored_filter.as_str())
                    .bind(hold.reason.as_str())
                    .bind(hold.by.as_str())
                    .bind(hold.since.as_micros())
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                self.connection = Some(connection);
                Ok(())
            }

            async fn try_release(
                &mut self,
                id: &str,
                by: &str,
                at: Timestamp,
            ) -> Result<bool, OpenError> {
                let mut connection = self.take().await?;
                let done = sqlx::query(AssertSqlSafe(Arc::clone(&self.texts.release)))
                    .bind(at.as_micros())
                    .bind(by)
                    .bind(id)
                    .execute(&mut connection)
                    .await?;
                self.connection = Some(connection);
                Ok(done.rows_affected() > 0)
            }

        }

        super::runs::runs_over!($tables, $database);

        impl Tables for $tables {
            fn address(&self) -> String {
                self.database.address()
            }

            fn open(&mut self) -> TablesFuture<'_, ()> {
                Box::pin(async {
                    let done = self.try_open().await;
                    done.map_err(|error| self.error(error))
                })
            }

            fn may_remove(&mut self) -> TablesFuture<'_, ()> {
                Box::pin(async {
                    let mut connection = match self.take().await {
                        Ok(connection) => connection,
                        Err(error) => return Err(self.error(error)),
                    };
                    // The lowest id, which nothing has: the right is asked for all the same.
                    let nothing = [Key::default()];
                    let text = self.texts.remove_records(nothing.len());
                    let done = Self::run(text, &nothing, &mut connection).await;
                    done.map_err(|error| self.error(error.into()))?;
                    self.connection = Some(connection);
                    Ok(())
                })
            }

            fn holds(&mut self) -> TablesFuture<'_, Vec<Hold>> {
                Box::pin(async {
                    let holds = self.all_holds().await;
                    holds.map_err(|error| self.error(error))
                })
            }

            fn place<'a>(&'a mut self, hold: &'a Hold) -> TablesFuture<'a, ()> {
                Box::pin(async {
                    let done = self.try_place(hold).await;
                    done.map_err(|error| self.error(error))
                })
            }

            fn release<'a>(
                &'a mut self,
                id: &'a str,
                by: &'a str,
                at: Timestamp,
            ) -> TablesFuture<'a, bool> {
                Box::pin(async move {
                    let done = self.try_release(id, by, at).await;
                    done.map_err(|error| self.error(error))
                })
            }

            fn newest_up_to(&mut self, id: Key) -> TablesFuture<'_, Option<Key>> {
                Box::pin(async move {
                    let text = Arc::clone(&self.texts.newest_up_to);
                    let found = self.one_key(text, id).await;
                    found.map_err(|error| self.error(error))
                })
            }

            fn oldest_above(&mut self, id: Key) -> TablesFuture<'_, Option<Key>> {
                Box::pin(async move {
                    let text = Arc::clone(&self.texts.oldest_above);
                    let found = self.one_key(text, id).await;
                    found.map_err(|error| self.error(error))
                })
            }

            fn page(
                &mut self,
                after: Key,
                up_to: Key,
                limit: usize,
                with_json: bool,
            ) -> TablesFuture<'_, Vec<Candidate>> {
                Box::pin(async move {
                    let page = self.try_page(after, up_to, limit, with_json).await;
                    page.map_err(|error| self.error(error))
                })
            }

            fn remove<'a>(
                &'a mut self,
                ids: &'a [Key],
                known: &'a [Hold],
                run: &'a Run,
            ) -> TablesFuture<'a, Removed> {
                Box::pin(async move {
                    let removed = self.try_remove(ids, known, run).await;
                    removed.map_err(|error| self.error(error))
                })
            }

            fn note<'a>(&'a mut self, run: &'a Run) -> TablesFuture<'a, u64> {
                Box::pin(async {
                    let noted = self.try_noted(run).await;
                    noted.map_err(|error| self.error(error))
                })
            }

            fn last_whole<'a>(
                &'a mut self,
                digest: &'a str,
                up_to: Timestamp,
            ) -> TablesFuture<'a, Option<Timestamp>> {
                Box::pin(async move {
                    let last = self.try_last_whole(digest, up_to).await;
                    last.map_err(|error| self.error(error))
                })
            }

            fn last_policy(&mut self) -> TablesFuture<'_, Option<(String, String)>> {
                Box::pin(async {
                    let policy = self.try_last_policy().await;
                    policy.map_err(|error| self.error(error))
                })
            }

            $($own)*
        }
    };
}
pub(super) use tables_over;
