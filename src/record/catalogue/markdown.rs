//! A catalogue as a page of documentation.

use std::fmt::Write;

use super::{Catalogue, Declaration};
use crate::text;

impl Catalogue {
    /// A reference of all actions in Markdown, one table for each category: what a service's
    /// documentation shows, made of what its code declares.
    ///
    /// Categories and actions are in the order of their names. An action without a category is in
    /// the table `other`.
    ///
    /// ```
    /// use tower_audit::record::{Catalogue, Declaration};
    ///
    /// let create = Declaration::new("document.create").description("A document was made.");
    /// let page = Catalogue::new([create.route("POST", "/api/docs")])?.to_markdown();
    /// assert_eq!(
    ///     page,
    ///     "## document\n\n\
    ///      | action | what it means | routes | kept |\n\
    ///      |---|---|---|---|\n\
    ///      | `document.create` | A document was made. | `POST /api/docs` | |\n"
    /// );
    /// # Ok::<(), tower_audit::record::CatalogueError>(())
    /// ```
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut page = String::new();
        let mut categories: Vec<Option<&str>> = self.categories().into_iter().map(Some).collect();
        if self.iter().any(|it| it.category_or_noun().is_none()) {
            categories.push(None);
        }
        for category in categories {
            if !page.is_empty() {
                page.push('\n');
            }
            let title = plain(category.unwrap_or("other"));
            let head = "| action | what it means | routes | kept |\n|---|---|---|---|\n";
            // Writing into a text does not fail.
            let _ = write!(page, "## {title}\n\n{head}");
            for declared in self.iter().filter(|it| it.category_or_noun() == category) {
                row(declared, &mut page);
            }
        }
        page
    }
}

fn row(declared: &Declaration, page: &mut String) {
    let description = declared
        .description
        .as_deref()
        .map(plain)
        .unwrap_or_default();
    let routes: Vec<String> = declared
        .routes
        .iter()
        .map(|route| code(&format!("{} {}", route.method, route.template)))
        .collect();
    let kept = declared
        .assurance
        .map(|kept| code(&kept.to_string()))
        .unwrap_or_default();
    page.push('|');
    for cell in [
        code(declared.action.as_str()),
        description,
        routes.join(", "),
        kept,
    ] {
        page.push_str(if cell.is_empty() { " |" } else { " " });
        if !cell.is_empty() {
            page.push_str(&cell);
            page.push_str(" |");
        }
    }
    page.push('\n');
}

/// A name between back ticks; one that has some itself is escaped instead.
fn code(name: &str) -> String {
    if name.contains('`') {
        return plain(name);
    }
    format!("`{}`", text::clean(name, usize::MAX).0.replace('|', "\\|"))
}

/// Text that means nothing to Markdown or HTML.
fn plain(given: &str) -> String {
    let mut out = String::with_capacity(given.len());
    for character in text::clean(given, usize::MAX).0.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Assurance;

    #[test]
    fn a_page_has_a_table_for_each_category_and_no_foreign_markup() {
        let catalogue = Catalogue::new([
            Declaration::new("user.delete")
                .category("administration")
                .description("A user | is <b>gone</b> for `good`.")
                .route("DELETE", "/users/{id}")
                .route("POST", "/users/{id}/delete")
                .assurance(Assurance::Strict),
            Declaration::new("RevokeToken"),
            Declaration::new("b|c.d"),
        ]);
        assert_eq!(
            catalogue.unwrap().to_markdown(),
            "## administration\n\n| action | what it means | routes | kept |\n|---|---|---|---|\n\
             | `user.delete` | A user \\| is &lt;b>gone&lt;/b> for \\`good\\`. \
             | `DELETE /users/{id}`, `POST /users/{id}/delete` | `strict` |\n\n\
             ## b\\|c\n\n| action | what it means | routes | kept |\n|---|---|---|---|\n\
             | `b\\|c.d` | | | |\n\n\
             ## other\n\n| action | what it means | routes | kept |\n|---|---|---|---|\n\
             | `RevokeToken` | | | |\n"
        );
        assert_eq!(Catalogue::default().to_markdown(), "");
    }
}
