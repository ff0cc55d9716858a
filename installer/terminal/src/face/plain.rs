//! Lines on paper: nothing is moved, everything can be read back.

use std::io;

use super::{Face, Input, page::Page};

impl Face {
    pub(super) fn prompt_plain(&mut self, page: &Page) -> io::Result<Input> {
        let (lines, prompt) = page.lines();
        let text = format!("{}\n{prompt}", lines.join("\n"));
        // Before the prompt: who types at once must not see it either.
        self.keys.echo(!page.hidden);
        self.write(&text)?;
        let line = self.keys.line();
        self.keys.echo(true);
        let line = line?;
        if page.hidden {
            // The line break of the person was not shown either.
            self.write("\n")?;
        }
        Ok(line.map_or(Input::Leave, Input::Line))
    }
}
