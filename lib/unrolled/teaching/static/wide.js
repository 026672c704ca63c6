// What is wider than the screen. A long formula breaks where a book would break it: after a wide space, else before
// a relation, else before an operator. What is still too wide scrolls by itself, as tables and code do; while it
// does, it fades where it is cut (see unrolled.css) and the keyboard stops at it. What is whole is no stop.

(async () => {
  "use strict";

  const LONG = 16; // in characters: what is shorter stays whole
  const SCROLLS = `mjx-container[display], span.math, span.math .unrolled-part, .unrolled-formula,
    .pst-scrollable-table-container, pre`;

  // Whether a line may begin with an atom, from the best place to the worst; 3 and 2 are MathJax's classes.
  const BREAKS = [
    (atom, before) => parseFloat(before.element.querySelector(":scope > mjx-mspace")?.style.width) >= 1,
    (atom) => atom.node.texClass === 3, // = and ≤
    (atom) => atom.node.texClass === 2, // + and −
  ];

  function split({ root, typesetRoot }) {
    const row = typesetRoot.querySelector("mjx-math");
    const { childNodes } = root.childNodes[0];
    if (row.children.length !== childNodes.length) return;
    row.append(...parts([...row.children].map((element, i) => ({ element, node: childNodes[i] }))));
  }

  // A row of atoms in parts that stay whole as long as they fit, these in smaller ones, and so on.
  function parts(atoms, level = 0) {
    const characters = atoms.reduce((sum, { element }) => sum + element.querySelectorAll("mjx-c").length, 0);
    if (characters < LONG || level === BREAKS.length) return atoms.map(({ element }) => element);
    const groups = [];
    atoms.forEach((atom, i) => {
      if (i === 0 || BREAKS[level](atom, atoms[i - 1])) groups.push([]);
      groups.at(-1).push(atom);
    });
    if (groups.length === 1) return parts(atoms, level + 1);
    return groups.map((group) => span("part", parts(group, level + 1)));
  }

  // Punctuation, or the rest of a word, stays with the formula before it.
  function keep(formula) {
    const text = formula.nextSibling;
    const rest = text?.nodeType === Node.TEXT_NODE && text.data.match(/^\S+/);
    if (!rest) return;
    text.deleteData(0, rest[0].length);
    const kept = span("kept", []);
    formula.replaceWith(kept);
    kept.append(formula, rest[0]);
  }

  function span(name, children) {
    const element = document.createElement("span");
    element.className = `unrolled-${name}`;
    element.append(...children);
    return element;
  }

  function look(box) {
    const cut = [];
    if (box.scrollLeft > 1) cut.push("left");
    if (box.scrollLeft < box.scrollWidth - box.clientWidth - 1) cut.push("right");
    if (cut.length) {
      box.dataset.cut = cut.join(" ");
      // Inside a split formula, which a screen reader has as MathML, nothing may take the focus.
      if (!box.closest("[aria-hidden=true]")) box.tabIndex = 0;
    } else if (box.dataset.cut) {
      delete box.dataset.cut;
      box.removeAttribute("tabindex");
    }
  }

  await window.MathJax?.startup?.promise;
  for (const formula of window.MathJax?.startup?.document?.math ?? []) split(formula);
  document.querySelectorAll("span.math").forEach(keep);
  const inline = (element) => getComputedStyle(element).display === "inline"; // a formula in parts flows
  const boxes = [...document.querySelectorAll(SCROLLS)].filter((box) => !inline(box));
  const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => look(target)));
  boxes.forEach((box) => resized.observe(box));
  document.fonts.addEventListener("loadingdone", () => boxes.forEach(look)); // until then letters may be wider
  const scrolled = ({ target }) => {
    if (target.dataset?.cut) look(target);
  };
  document.addEventListener("scroll", scrolled, { capture: true, passive: true });
})();
