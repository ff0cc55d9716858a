//! Lines on paper: nothing is moved, everything can be read back.

use std::io;

use super::{Face, Helper, Input, Meanwhile, keys::LOOK, page::Page};

impl Face {
    pub(super) fn prompt_plain(
        &mut self,
        page: &Page,
        helper: &mut dyn Helper,
    ) -> io::Result<Input> {
        let (lines, prompt) = page.lines();
        let text = format!("{}\n{prompt}", lines.join("\n"));
        // Before the prompt: who types at once must not see it either.
        self.keys.echo(!page.hidden);
        self.write(&text)?;
        let typed = self.typed(&prompt, helper);
        self.keys.echo(true);
        let typed = typed?;
        if page.hidden {
            // The line break of the person was not shown either.
            self.write("\n")?;
        }
        Ok(typed)
    }

    fn typed(&mut self, prompt: &str, helper: &mut dyn Helper) -> io::Result<Input> {
        while !self.keys.more(LOOK)? {
            match helper.meanwhile() {
                Meanwhile::Wait => {}
                Meanwhile::Say(texts) => {
                    let told = Page { message: texts, ..Page::default() };
                    self.write(&format!("\n{}\n{prompt}", told.told().join("\n")))?;
                }
                Meanwhile::Stop => return Ok(Input::Stop),
            }
        }
        Ok(self.keys.line()?.map_or(Input::Leave, Input::Line))
    }
}
