// The front end of explorables, on a page of the site and in a notebook (see notebook.py). It is a classic script,
// since a browser loads no module from a file. Each panel is a Vega view; the controls below set the same signals
// in all of them. Colours are CSS custom properties, so a change of theme needs no code here.

(() => {
  "use strict";

  const PREFIX = "unrolled-explorable";
  const PAUSE = 700; // ms without a move before a screen reader hears the numbers
  const STEP = 900; // ms from one step of a playing slider to the next
  const NEAR = 6; // pixels within which a mark belongs to the place that is looked at
  const STOPS = 40; // places at most where arrow keys look at a curve

  // What a script element holds, compressed and in base64.
  function unpack(script) {
    const bytes = Uint8Array.from(atob(script.textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream);
  }

  function make(tag, kind, properties = {}) {
    const element = Object.assign(document.createElement(tag), properties);
    if (kind) element.className = `${PREFIX}-${kind}`;
    return element;
  }

  // Brings a root element to life.
  async function start(root) {
    const payload = unpack(root.querySelector(":scope > script[type='application/gzip']")).json();
    const { controls, readings, common, panels } = await payload;
    vega ??= loadVega();
    await vega;
    const places = [...root.querySelectorAll(`.${PREFIX}-panel`)];
    const charts = await Promise.all(panels.map((panel, i) => draw(places[i], panel, common)));

    const status = make("p", "status");
    status.setAttribute("role", "status");
    const read = root.querySelector(`.${PREFIX}-readings`);
    let pause;
    const move = async (signal, place) => {
      await Promise.all(charts.map(({ view }) => view.signal(signal, place).runAsync()));
      const numbers = readings.map((name, j) => `${name} = ${number(charts[0].view.signal(`reading${j}`))}`);
      if (read) read.textContent = numbers.join(" · ");
      charts.forEach((chart) => chart.look());
      clearTimeout(pause);
      const bars = charts.flatMap(({ view, panel }) => panel.bars.flatMap((name) => view.data(name)));
      numbers.push(...bars.map(({ x, series, y }) => `${x}, ${series}: ${number(y)}`));
      pause = setTimeout(() => (status.textContent = numbers.join("; ")), PAUSE);
    };
    const kinds = { slider, radio, select };
    const made = controls.map((control) => ({
      ...control,
      ...kinds[control.kind](`${root.id}-${control.signal}`, control, move),
    }));
    const box = root.querySelector(`.${PREFIX}-sliders`);
    box.replaceChildren(...made.map(({ element }) => element));
    box.after(status);
    for (const chart of charts) draggable(chart, made);
    isolating(root, charts);
    root.unrolledViews = charts.map(({ view }) => view);
  }

  // ---- A panel -------------------------------------------------------------------------------------

  // Puts a live chart in the place of its picture.
  async function draw(place, panel, common) {
    const box = place.querySelector(`.${PREFIX}-chart`);
    const alt = box.firstElementChild.getAttribute("aria-label");
    const lists = ["signals", "scales"].map((name) => [name, [...common[name], ...panel.spec[name]]]);
    const spec = { ...common, ...panel.spec, ...Object.fromEntries(lists) };
    const inner = document.createElement("div");
    const options = { mode: "vega", renderer: "svg", actions: false, defaultStyle: false };
    const { view } = await window.vegaEmbed(inner, spec, options);

    // One image to a screen reader; its parts have no words of their own.
    const svg = inner.querySelector("svg");
    svg.firstElementChild.setAttribute("aria-hidden", "true");
    for (const name of ["role", "aria-roledescription", "aria-label"]) {
      svg.parentElement.removeAttribute(name);
    }
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", alt);

    const margin = svg.viewBox.baseVal.width - view.width();
    const phone = matchMedia("(max-width: 600px)");
    const fit = () => {
      const width = Math.floor(box.clientWidth - margin);
      if (width <= 0 || (width === view.width() && phone.matches === view.signal("phone"))) return;
      return view.width(width).signal("phone", phone.matches).runAsync();
    };
    await fit();
    box.replaceChildren(inner);
    new ResizeObserver(fit).observe(box);
    const chart = { panel, view, svg, box };
    return { ...chart, look: panel.along.length ? looking(chart) : () => {} };
  }

  // Where a pointer is in the plot, in pixels from its upper left corner.
  function local({ svg }, { clientX, clientY }) {
    const frame = svg.querySelector(".role-frame > g").getScreenCTM();
    return new DOMPoint(clientX, clientY).matrixTransform(frame.inverse());
  }

  // Lets the reader look at the values at one place of the horizontal axis: by pointer, or by the keys
  // of a slider that is seen when it has the focus. Gives the function that brings them up to date.
  function looking(chart) {
    const { panel, view, svg, box } = chart;
    const line = make("div", "look", { hidden: true });
    const words = line.appendChild(make("p"));
    line.setAttribute("aria-hidden", "true"); // said as the value of the slider
    const keys = make("input", "keys", { type: "range", min: 0, step: 1, value: 0 });
    keys.setAttribute("aria-label", `Values: ${panel.summary}`);
    keys.dataset.lmSuppressShortcuts = ""; // else JupyterLab moves between cells with the arrow keys
    box.append(keys, line);
    let stops = [];
    let at = null; // the place that is looked at, in units of the axis

    const rows = () => {
      const all = panel.along.flatMap((name) => view.data(name));
      const alone = view.signal("isolated");
      return all.filter(({ y, series }) => Number.isFinite(y) && (!alone || series === alone));
    };
    const show = () => {
      const scale = view.scale("x");
      const found = new Map();
      for (const { x, y, series } of rows()) {
        const away = Math.abs(scale(x) - scale(at));
        if (away <= NEAR && !(found.get(series)?.away <= away)) found.set(series, { x, y, away });
      }
      const values = [...found].map(([series, { y }]) => `${series}: ${number(y)}`);
      const heading = panel.ticks[at] ?? `${panel.x}: ${number(at)}`;
      words.replaceChildren(...[heading, ...values].map((text) => make("span", "", { textContent: text })));
      keys.setAttribute("aria-valuetext", [heading, ...values].join("; "));
      const { e, f } = svg.querySelector(".role-frame > g").getScreenCTM();
      const { left, top } = box.getBoundingClientRect();
      line.style.left = `${e - left + scale(at)}px`;
      line.style.top = `${f - top}px`;
      line.style.height = `${view.height()}px`;
      line.classList.toggle("is-late", scale(at) > view.width() / 2);
    };
    const update = () => {
      const places = [...new Set(rows().map(({ x }) => x))].sort((a, b) => a - b);
      const every = Math.max(1, Math.ceil(places.length / STOPS));
      stops = places.filter((_, i) => i % every === 0 || i === places.length - 1);
      keys.max = Math.max(0, stops.length - 1);
      if (!stops.length) return hide();
      if (at === null) return keys.setAttribute("aria-valuetext", `${stops.length} places`);
      at = nearest(places, at);
      keys.value = stops.indexOf(nearest(stops, at));
      show();
    };
    const look = (place) => {
      at = place;
      line.hidden = false;
      update();
    };
    const hide = () => {
      at = null;
      line.hidden = true;
    };
    const point = (event) => {
      const { x } = local(chart, event);
      const inside = x >= -NEAR && x <= view.width() + NEAR;
      if (inside && !event.buttons) look(view.scale("x").invert(x));
      else hide();
    };
    keys.addEventListener("input", () => look(stops[keys.value]));
    keys.addEventListener("focus", () => look(stops[keys.value]));
    keys.addEventListener("blur", hide);
    svg.addEventListener("pointermove", point);
    svg.addEventListener("click", point); // a tap moves nothing before
    svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
    update();
    return update;
  }

  // Makes buttons of the legends: each shows its series alone, in every panel that has it.
  function isolating(root, charts) {
    const buttons = [...root.querySelectorAll(`.${PREFIX}-key`)].map((key) => {
      const button = make("button", "key", { type: "button" });
      button.append(...key.childNodes);
      button.setAttribute("aria-pressed", "false");
      key.replaceWith(button);
      return button;
    });
    const press = (pressed) => {
      const alone = pressed.getAttribute("aria-pressed") === "true" ? null : pressed.textContent;
      for (const button of buttons) {
        button.setAttribute("aria-pressed", String(button.textContent === alone));
      }
      for (const { view, panel, look } of charts) {
        view.signal("isolated", panel.labels.includes(alone) ? alone : null);
        view.runAsync().then(look);
      }
    };
    for (const button of buttons) button.addEventListener("click", () => press(button));
  }

  // Lets the reader drag the handles of a chart; each sets its controls as far as they go.
  function draggable(chart, controls) {
    const { panel, view, svg } = chart;
    let sets = null; // of the handle that is dragged
    const follow = async (event) => {
      const { x, y } = local(chart, event);
      view.signal("pointer_x", view.scale("x").invert(x));
      await view.signal("pointer_y", view.scale("y").invert(y)).runAsync();
      for (const { signal, values, set } of controls) {
        const target = sets && signal in sets ? view.signal(sets[signal]) : NaN;
        if (Number.isFinite(target)) set(values.indexOf(nearest(values, target)));
      }
    };
    const release = () => {
      sets = null;
      svg.classList.remove("is-dragged");
    };
    const handle = (event) => event.target.closest(".handle path")?.__data__?.datum.handle;
    svg.addEventListener("pointerdown", (event) => {
      if (!handle(event) || event.button) return;
      sets = panel.handles[handle(event)];
      event.preventDefault(); // no text is selected
      svg.setPointerCapture(event.pointerId);
      svg.classList.add("is-dragged");
    });
    svg.addEventListener("pointermove", (event) => sets && follow(event));
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, release);
    // A thumb on a handle drags it and not the page.
    const hold = (event) => handle(event) && event.preventDefault();
    svg.addEventListener("touchstart", hold, { passive: false });
  }

  // ---- Controls: each gives its element, and the function that sets it from outside ----------------

  function slider(id, { signal, label, shown, start, play }, move) {
    const element = make("div", "slider");
    const name = make("label", "", { htmlFor: id, textContent: label });
    const output = make("span");
    output.setAttribute("aria-hidden", "true"); // said as the value of the slider
    const input = document.createElement("input");
    // The order matters: a value is clamped to the range that the slider has at that moment.
    Object.assign(input, { id, type: "range", min: 0, max: shown.length - 1, step: 1, value: start });
    input.dataset.lmSuppressShortcuts = ""; // else JupyterLab moves between cells with the arrow keys
    const show = () => {
      output.textContent = shown[input.value];
      input.setAttribute("aria-valuetext", shown[input.value]);
    };
    const to = (place) => {
      const before = input.value;
      input.value = place;
      if (input.value === before) return;
      show();
      move(signal, Number(input.value));
    };
    const player = play ? playing(input, label, to) : { stop() {}, buttons: [] };
    input.addEventListener("input", () => {
      player.stop();
      show();
      move(signal, Number(input.value));
    });
    show();
    element.append(name, output, ...player.buttons, input);
    element.classList.toggle("has-buttons", play);
    const set = (place) => {
      player.stop();
      to(place);
    };
    return { element, set };
  }

  // Buttons that step through a slider, and one that runs to its end; where the reader has asked for
  // less motion only the steps.
  function playing(input, label, to) {
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    let timer = null;
    const button = (text, words, pressed) => {
      const element = make("button", "step", { type: "button", textContent: text });
      element.setAttribute("aria-label", `${words}: ${label}`);
      element.addEventListener("click", pressed);
      return element;
    };
    const at = () => Number(input.value);
    const last = () => at() === Number(input.max);
    const show = () => {
      run.textContent = timer ? "❚❚" : "▶";
      run.setAttribute("aria-label", `${timer ? "pause" : "play"}: ${label}`);
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      show();
    };
    const step = (by) => {
      stop();
      to(at() + by);
    };
    const tick = () => {
      to(at() + 1);
      if (last()) stop();
    };
    const back = button("‹", "previous", () => step(-1));
    const run = button("▶", "play", () => {
      if (timer) return stop();
      if (last()) to(0);
      timer = setInterval(tick, STEP);
      show();
    });
    const next = button("›", "next", () => step(1));
    const calm = () => {
      stop();
      run.hidden = still.matches;
    };
    calm();
    still.addEventListener("change", calm);
    document.addEventListener("visibilitychange", stop);
    return { stop, buttons: [back, run, next] };
  }

  function radio(id, { signal, label, shown, start }, move) {
    const element = make("fieldset", "radio");
    element.append(make("legend", "", { textContent: label }));
    const inputs = shown.map((text, place) => {
      const input = make("input", "", { type: "radio", name: id, checked: place === start });
      input.dataset.lmSuppressShortcuts = "";
      input.addEventListener("change", () => move(signal, place));
      const option = make("label");
      option.append(input, make("span", "", { textContent: text }));
      element.append(option);
      return input;
    });
    return { element, set: (place) => inputs[place].click() };
  }

  function select(id, { signal, label, shown, start }, move) {
    const element = make("div", "select");
    const input = make("select", "", { id });
    input.append(...shown.map((text) => make("option", "", { textContent: text })));
    input.selectedIndex = start;
    input.dataset.lmSuppressShortcuts = "";
    input.addEventListener("change", () => move(signal, input.selectedIndex));
    element.append(make("label", "", { htmlFor: id, textContent: label }), input);
    const set = (place) => {
      input.selectedIndex = place;
      move(signal, place);
    };
    return { element, set };
  }

  // ---- Numbers -------------------------------------------------------------------------------------

  // The value that is nearest to a number, the first of two.
  function nearest(values, target) {
    return values.reduce((best, value) => (Math.abs(value - target) < Math.abs(best - target) ? value : best));
  }

  // A number to three digits, as 0.264 or 1.57·10⁴.
  function number(value) {
    if (!Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    let text = String(Number(value.toPrecision(3)));
    if (size && (size < 1e-3 || size >= 1e4)) {
      const [mantissa, power] = value.toExponential(2).split("e");
      const raised = [...power.replace("+", "")].map((digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)]);
      text = `${mantissa}·10${raised.join("")}`;
    }
    return text.replace("-", "−");
  }

  // ---- Where it runs -------------------------------------------------------------------------------

  function fail(root, error) {
    const message = make("p", "error");
    message.textContent = "The controls could not be started; the chart stays as it is.";
    root.querySelector(`.${PREFIX}-sliders`).append(message);
    console.error(error);
  }

  let vega = null; // a promise once it is asked for

  // A page of the site says where its root is, below which Vega lies; a notebook holds it beside this script.
  const siteRoot = document.documentElement.dataset.content_root;
  const held = document.querySelector("script.unrolled-vega");

  async function loadVega() {
    const script = document.createElement("script");
    if (siteRoot === undefined) {
      script.textContent = await unpack(held).text();
      document.head.append(script);
      return;
    }
    script.src = new URL(`${siteRoot}_static/vendor/vega.js`, document.baseURI);
    await new Promise((resolve, reject) => {
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => reject(new Error(`${script.src} could not be loaded`)));
      document.head.append(script);
    });
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        start(target).catch((error) => fail(target, error));
      }
    },
    { rootMargin: "600px" },
  );

  function find() {
    for (const root of document.querySelectorAll(`.${PREFIX}`)) {
      if (root.unrolledFound) continue; // perhaps by the script of an earlier kernel
      root.unrolledFound = true;
      near.observe(root);
    }
  }

  find();
  document.addEventListener("unrolled", find); // a notebook shows more
})();
