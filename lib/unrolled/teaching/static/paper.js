// On paper the book is light, and everything stands open, solutions too: nobody can unfold paper.

(() => {
  "use strict";

  const page = document.documentElement;
  let undo;

  addEventListener("beforeprint", () => {
    const { theme } = page.dataset;
    const folded = [...document.querySelectorAll("details:not([open])")];
    const fold = (open) => folded.forEach((details) => (details.open = open));
    page.dataset.theme = "light";
    fold(true);
    undo = () => {
      page.dataset.theme = theme;
      fold(false);
    };
  });

  addEventListener("afterprint", () => undo());
})();
