// The front end of quick checks, on a page of the site and in a notebook (see notebook.py): it brings to life
// every root it finds (last lines). It is a classic script, since a browser loads no module from a file.

(() => {
  "use strict";

  // ---- Reading a number: the grammar and the sentences of unrolled/teaching/number.py ------------

  const LONGEST = 100;
  const LARGEST_EXPONENT = 64;
  const SPELLINGS = [
    ["−", "-"], ["–", "-"], ["×", "*"], ["·", "*"], ["⋅", "*"], ["√", "sqrt"], ["π", "pi"], ["**", "^"],
  ];
  const TOKEN = /^(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|sqrt|pi|[-+*/^()])/;
  const SPACE = /[ \t\r\n\u00a0\u2009\u202f]+/g;
  const FORMS = "Try a form such as 3/7, 0.25 or 2e-3.";

  function readNumber(text) {
    const tokens = tokenise(text);
    const value = sum(tokens);
    if (tokens.length) throw new Error(`“${tokens[0]}” is unexpected here. ${FORMS}`);
    if (!Number.isFinite(value)) throw new Error("That is not a finite number.");
    return value;
  }

  function tokenise(text) {
    for (const [spelling, plain] of SPELLINGS) text = text.replaceAll(spelling, plain);
    text = text.replace(SPACE, " ").replace(/^ +| +$/g, "");
    if (!text) throw new Error("Type a number first.");
    if ([...text].length > LONGEST) throw new Error(`That is too long: at most ${LONGEST} characters.`);
    if (text.includes(",")) throw new Error("Write a decimal point, not a comma.");
    const tokens = [];
    while (text) {
      const token = text.match(TOKEN);
      if (!token) throw new Error(`That is not a number. ${FORMS}`);
      tokens.push(token[0]);
      text = text.slice(token[0].length).replace(/^ +/, "");
    }
    return tokens;
  }

  function sum(tokens) {
    let value = product(tokens);
    while (tokens[0] === "+" || tokens[0] === "-") {
      if (tokens.shift() === "+") value += product(tokens);
      else value -= product(tokens);
    }
    return value;
  }

  function product(tokens) {
    let value = signed(tokens);
    while (tokens[0] === "*" || tokens[0] === "/") {
      if (tokens.shift() === "*") {
        value *= signed(tokens);
      } else {
        const divisor = signed(tokens);
        if (divisor === 0) throw new Error("That divides by zero.");
        value /= divisor;
      }
    }
    return value;
  }

  function signed(tokens) {
    return sign(tokens) * power(tokens);
  }

  function sign(tokens) {
    let value = 1;
    while (tokens[0] === "+" || tokens[0] === "-") value = tokens.shift() === "-" ? -value : value;
    return value;
  }

  function power(tokens) {
    const base = atom(tokens);
    if (tokens[0] !== "^") return base;
    tokens.shift();
    const direction = sign(tokens);
    const exponent = tokens.shift() ?? "";
    if (!/^[0-9]+$/.test(exponent) || Number(exponent) > LARGEST_EXPONENT) {
      throw new Error(`An exponent must be a whole number up to ${LARGEST_EXPONENT}.`);
    }
    let value = 1;
    for (let i = 0; i < Number(exponent); i += 1) value *= base;
    if (direction > 0) return value;
    if (value === 0) throw new Error("That divides by zero.");
    return 1 / value;
  }

  function atom(tokens) {
    const token = tokens.shift();
    if (token === undefined) throw new Error("Something is missing at the end.");
    if (token === "pi") return Math.PI;
    if (token === "sqrt") {
      const radicand = atom(tokens);
      if (radicand < 0) throw new Error("That takes the square root of a negative number.");
      return Math.sqrt(radicand);
    }
    if (token === "(") {
      const value = sum(tokens);
      if (tokens.shift() !== ")") throw new Error("A closing bracket is missing.");
      return value;
    }
    if (")+-*/^".includes(token)) throw new Error(`“${token}” is unexpected here. ${FORMS}`);
    return Number(token);
  }

  // ---- The question ------------------------------------------------------------------------------

  const RIGHT = { mark: "✓", word: "Right", grade: "right" };
  const WRONG = { mark: "✗", word: "Not quite", grade: "wrong" };
  const OPEN = { mark: "", word: "", grade: "open" };

  /**
   * Show a question in `root` and let it be answered.
   * @param storage `load()` gives the state saved last or null; `save(state)` keeps one, null forgets.
   *   The state is {right, picked} for options, {right, typed} for a number, {right} for code.
   * @returns a function that shows what `storage` now holds, for when it changed elsewhere.
   */
  function mount(root, payload, storage) {
    const question = {
      ...payload,
      answer: JSON.parse(decode(payload.answer)),
      id: `quickcheck-${Math.random().toString(36).slice(2)}`,
    };
    const card = element("form", {
      class: "unrolled-quickcheck-card",
      noValidate: true,
      innerHTML: `
        <fieldset aria-labelledby="${question.id}-kicker ${question.id}-prompt">
          <div class="unrolled-quickcheck-head">
            <p class="unrolled-quickcheck-kicker" id="${question.id}-kicker">Quick check</p>
            <p class="unrolled-quickcheck-progress" hidden>✓ answered</p>
          </div>
          <div class="unrolled-quickcheck-prompt" id="${question.id}-prompt">${payload.prompt}</div>
          <div class="unrolled-quickcheck-body"></div>
          <div class="unrolled-quickcheck-feedback" role="status"></div>
          <div class="unrolled-quickcheck-buttons">
            <button type="submit" class="unrolled-quickcheck-check">Check</button>
            <button type="button" class="unrolled-quickcheck-again" hidden>Try again</button>
          </div>
        </fieldset>`,
    });
    const find = (name) => card.querySelector(`.unrolled-quickcheck-${name}`);
    const kind = { choice, numeric, code }[payload.kind](find("body"), question);

    const say = ({ mark, word, grade }, html) => {
      find("feedback").dataset.grade = grade;
      find("feedback").innerHTML =
        (word ? `<p class="unrolled-quickcheck-verdict">${mark} ${word}</p>` : "") + html;
    };
    let shown = null;
    const show = (state) => {
      shown = JSON.stringify(state);
      kind.show(state);
      if (state) say(state.right ? RIGHT : WRONG, kind.feedback(state));
      else say(OPEN, "");
      find("progress").hidden = !state?.right;
      find("again").hidden = !state;
      find("buttons").hidden = !kind.read;
    };

    card.addEventListener("submit", (event) => {
      event.preventDefault();
      try {
        const state = kind.read();
        storage.save(state);
        show(state);
      } catch (error) {
        say(OPEN, `<p>${escape(error.message)}</p>`);
      }
    });
    // A changed answer is no longer the graded one: take the marks away, keep what is chosen.
    card.addEventListener("input", () => {
      kind.unmark();
      say(OPEN, "");
    });
    find("again").addEventListener("click", () => {
      storage.save(null);
      show(null);
      kind.focus(); // the button that had the focus is gone now
    });

    const refresh = () => {
      const state = storage.load();
      if (JSON.stringify(state) !== shown) show(state);
    };
    refresh();
    // JupyterLab listens further out: it would take the arrow keys to move between cells, and Enter.
    card.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
    });
    root.replaceChildren(card);
    return refresh;
  }

  function choice(body, { id, options, several, answer }) {
    body.innerHTML = options
      .map(
        (text, i) => `
          <label class="unrolled-quickcheck-option">
            <input type="${several ? "checkbox" : "radio"}" name="${id}" value="${i}">
            <span class="unrolled-quickcheck-letter">${letter(i)}</span>
            <span class="unrolled-quickcheck-text">${text}</span>
            <span class="unrolled-quickcheck-mark"></span>
          </label>`,
      )
      .join("");
    const rows = [...body.children];
    const inputs = rows.map((row) => row.querySelector("input"));

    const mark = (picked) =>
      rows.forEach((row, i) => {
        const { mark, word, grade } = picked.includes(i) ? (answer.right[i] ? RIGHT : WRONG) : OPEN;
        row.dataset.grade = grade;
        row.querySelector(".unrolled-quickcheck-mark").innerHTML = word
          ? `<span aria-hidden="true">${mark}</span><span class="unrolled-quickcheck-spoken">${word}</span>`
          : "";
      });
    return {
      read() {
        const picked = inputs.flatMap((input, i) => (input.checked ? [i] : []));
        if (!picked.length) throw new Error("Choose an answer first.");
        return { picked, right: answer.right.every((right, i) => right === picked.includes(i)) };
      },
      show(state) {
        inputs.forEach((input, i) => (input.checked = state?.picked.includes(i) ?? false));
        mark(state?.picked ?? []);
      },
      unmark: () => mark([]),
      feedback({ picked, right }) {
        const each = picked.map((i) =>
          several
            ? `<div class="unrolled-quickcheck-each"><b>${letter(i)}</b>${answer.feedback[i]}</div>`
            : answer.feedback[i],
        );
        const missing = !right && picked.every((i) => answer.right[i]);
        return each.join("") + (missing ? "<p>More is right than that.</p>" : "") +
          (right ? answer.explanation : "");
      },
      focus: () => inputs[0].focus(),
    };
  }

  function numeric(body, { id, precision, unit, answer }) {
    body.innerHTML = `
      <label for="${id}-number">Your answer</label>
      <div class="unrolled-quickcheck-entry">
        <input type="text" id="${id}-number" autocomplete="off" autocapitalize="off" spellcheck="false"
          aria-describedby="${id}-precision"><span>${unit}</span>
      </div>
      <p class="unrolled-quickcheck-hint" id="${id}-precision">${precision}</p>`;
    const input = body.querySelector("input");
    const within = (value, target, margin) => Math.abs(value - target) <= margin;
    const mark = (state) => {
      body.dataset.grade = (state ? (state.right ? RIGHT : WRONG) : OPEN).grade;
    };
    return {
      read() {
        const typed = input.value;
        return { typed, right: within(readNumber(typed), answer.value, answer.margin) };
      },
      show(state) {
        input.value = state?.typed ?? "";
        mark(state);
      },
      unmark: () => mark(null),
      feedback({ typed, right }) {
        if (right) return answer.explanation;
        const value = readNumber(typed);
        const known = answer.misconceptions.find((wrong) => within(value, wrong.value, wrong.margin));
        const close = within(value, answer.value, answer.near) ? `<p>${answer.close}</p>` : "";
        return `${known ? known.feedback : close}<details><summary>Show the answer</summary>
          <p>${answer.shown} ${unit}</p>${answer.explanation}</details>`;
      },
      focus: () => input.focus(),
    };
  }

  function code(body, { stub, answer }) {
    const live = document.documentElement.dataset.content_root === undefined; // a notebook, which has cells
    const source = (text) => `<pre tabindex="0"><code>${escape(text)}</code></pre>`;
    body.innerHTML = live
      ? `<p class="unrolled-quickcheck-hint">Complete the function in the next cell and run it.</p>`
      : `${source(stub)}
        <p class="unrolled-quickcheck-hint">Open this page as a notebook, in Binder or in your own
          Jupyter, to write the function and have it checked.</p>`;
    body.innerHTML += `<details><summary>Solution</summary>
      ${source(answer.solution)}${answer.explanation}</details>`;
    return {
      show() {},
      unmark() {},
      feedback: ({ right }) => (right ? answer.explanation : "<p>The cell says what is amiss.</p>"),
    };
  }

  // ---- Small parts -------------------------------------------------------------------------------

  const letter = (i) => String.fromCharCode(65 + i);

  function element(tag, { class: name, ...properties }) {
    const node = document.createElement(tag);
    node.className = name;
    return Object.assign(node, properties);
  }

  function escape(text) {
    return text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
  }

  function decode(base64) {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
  }

  // ---- Where it runs -------------------------------------------------------------------------------

  /** Progress in the browser. A changed question has a new version and starts unanswered. */
  function browserStorage({ name, version }) {
    const key = `unrolled.quickcheck.${name}`;
    return {
      load() {
        try {
          const saved = JSON.parse(localStorage.getItem(key));
          return saved?.version === version ? saved.state : null;
        } catch {
          return null; // a browser that keeps nothing still asks and grades
        }
      },
      save(state) {
        try {
          if (state) localStorage.setItem(key, JSON.stringify({ version, state }));
          else localStorage.removeItem(key);
        } catch {
          // as above
        }
      },
    };
  }

  const cards = new Map(); // by name: what keeps its state, and what shows that anew

  function find() {
    for (const root of document.querySelectorAll(".unrolled-quickcheck")) {
      const data = root.querySelector(":scope > script[type='application/json']");
      if (!data) continue; // mounted before
      const payload = JSON.parse(data.textContent);
      const storage = browserStorage(payload);
      cards.set(payload.name, { storage, refresh: mount(root, payload, storage) });
    }
    // What a cell has graded, the question says as well.
    for (const { dataset } of document.querySelectorAll(".unrolled-grade[data-question]")) {
      const card = cards.get(dataset.question);
      if (!card) continue;
      card.storage.save(dataset.grade === "open" ? null : { right: dataset.grade === "right" });
      card.refresh();
    }
  }

  find();
  document.addEventListener("unrolled", find); // a notebook shows more
})();
