// How the search page orders and quotes what it finds. Sphinx's own search does the rest, and reads this file as its
// `html_search_scorer`.

// Pages that are written to be read come before those that document the code.
Scorer.score = ([page, , , , score]) => (page.startsWith("book/api/") ? score : score + 1000);

const UNREAD = "script, style, svg, nav, button, pre, .headerlink, .onlyprint, .cell_input, details.hide";

// The words of a page, or of what an anchor names, from which Sphinx cuts the quotation.
Search.htmlToText = (html, anchor) => {
  const article = new DOMParser().parseFromString(html, "text/html").querySelector("article");
  if (!article) return "";
  article.querySelectorAll(UNREAD).forEach((element) => element.remove());
  article.querySelectorAll(".math").forEach((formula) => (formula.textContent = readable(formula.textContent)));
  const text = ((anchor && article.querySelector(anchor)) || article).textContent;
  return text.replace(/\s+/g, " ");
};

const SIGNS = {
  le: "≤", leq: "≤", ge: "≥", geq: "≥", ne: "≠", approx: "≈", propto: "∝", ll: "≪", in: "∈", notin: "∉", subset: "⊂",
  to: "→", mapsto: "↦", leftarrow: "←", cdot: "·", times: "×", pm: "±", cup: "∪", setminus: "∖", infty: "∞",
  sum: "∑", prod: "∏", int: "∫", partial: "∂", nabla: "∇", ell: "ℓ", star: "⋆", top: "ᵀ", blacksquare: "■",
  dots: "…", cdots: "…", "|": "‖", Vert: "‖", lVert: "‖", rVert: "‖", vert: "|", lvert: "|", rvert: "|",
  langle: "⟨", rangle: "⟩", "#": "#", quad: " ", qquad: " ", ",": " ", ";": " ", " ": " ",
  epsilon: "ϵ", vartheta: "ϑ", varrho: "ϱ", varphi: "φ", Pi: "Π",
}; // prettier-ignore
const GREEK = `alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho - sigma tau
  upsilon phi chi psi omega`;
GREEK.split(/\s+/).forEach((name, i) => (SIGNS[name] = String.fromCodePoint(0x3b1 + i)));
const NAMES = new Set("cos cosh exp ln log max min sin sinh sup tanh".split(" ")); // they read as they stand

const RAISED = { ..."⁰¹²³⁴⁵⁶⁷⁸⁹", i: "ⁱ", j: "ʲ", k: "ᵏ", n: "ⁿ", T: "ᵀ", "+": "⁺", "-": "⁻", "⋆": "⋆", ᵀ: "ᵀ" };
const LOWERED = { ..."₀₁₂₃₄₅₆₇₈₉", i: "ᵢ", j: "ⱼ", k: "ₖ", m: "ₘ", n: "ₙ", s: "ₛ", t: "ₜ", x: "ₓ", "+": "₊", "-": "₋" };

const small = (mark, signs, text) => {
  const letters = [...text];
  if (letters.every((letter) => letter in signs)) return letters.map((letter) => signs[letter]).join("");
  return letters.length === 1 ? mark + text : `${mark}(${text})`;
};
const whole = (text) => (/^[\p{L}\p{N}ᵀ⋆√_]+$/u.test(text) ? text : `(${text})`);

const ARGUMENT = String.raw`\s*(?:\{([^{}]*)\}|([^{}@\s]))`; // a group without groups, or one sign
const FRACTION = new RegExp(`@frac${ARGUMENT}${ARGUMENT}`, "gu");
const ROOT = new RegExp(`@sqrt${ARGUMENT}`, "gu");
const ABOVE = new RegExp(String.raw`\s*\^${ARGUMENT}`, "gu");
const BELOW = new RegExp(`\\s*_${ARGUMENT}`, "gu");
const GROUP = /(^|[^\w}^])\{([^{}]*)\}/g;

// A formula in a line of text: without LaTeX's commands, with the signs that they stand for. It is read from within,
// since arguments hold others; `@` marks a command that has not been read yet.
function readable(latex) {
  let text = latex
    .replace(/^\\[([]|\\[)\]]$|\\(begin|end)\{\w+\*?\}|&|\\\\/g, "")
    .replace(/\\([a-zA-Z]+)(?:\s+(?=\w))?|\\(.)/g, (_, name, sign) => {
      if (/^([td]?frac|sqrt)$/.test(name)) return `@${name.slice(-4)}`;
      return SIGNS[name ?? sign] ?? (NAMES.has(name) ? ` ${name} ` : " ");
    });
  for (let before; text !== before; ) {
    before = text;
    text = text
      .replace(FRACTION, (_, over, above, under, below) => `${whole(over ?? above)}/${whole(under ?? below)}`)
      .replace(ROOT, (_, group, one) => `√${whole(group ?? one)}`)
      .replace(ABOVE, (_, group, one) => small("^", RAISED, group ?? one))
      .replace(BELOW, (_, group, one) => small("_", LOWERED, group ?? one))
      .replace(GROUP, "$1$2");
  }
  return text.replace(/[{}]/g, "").replace(/\s+/g, " ").replace(/([(|‖]) /g, "$1").replace(/ ([)|‖])/g, "$1").trim();
}
