// The controls of a lab where a kernel runs. Python reads what is entered, decides whether it is
// allowed, computes and draws; this file only shows, in the place of the picture that stands for the lab where no
// kernel runs. On the site a lab has no controls and no script.

let count = 0;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Each control gives its element, what is entered in it, a way to set it, and its main input.
const CONTROLS = {
  number({ label, stops, name }, id, send) {
    const values = stops.map(Number);
    const slider = make("input", {
      type: "range", min: 0, max: stops.length - 1, step: 1, "aria-label": `${label}, slider`,
    });
    const text = make("input", { type: "text", id, inputmode: "decimal", autocomplete: "off", name });
    const place = () => {
      const value = Number(text.value);
      if (text.value.trim() === "" || Number.isNaN(value)) return;
      const distance = values.map((stop) => Math.abs(stop - value));
      slider.value = distance.indexOf(Math.min(...distance));
      slider.setAttribute("aria-valuetext", text.value);
    };
    slider.addEventListener("input", () => {
      text.value = stops[slider.value];
      slider.setAttribute("aria-valuetext", text.value);
    });
    slider.addEventListener("change", send);
    const typed = () => { place(); send(); };
    text.addEventListener("change", typed);
    text.addEventListener("keydown", (event) => { if (event.key === "Enter") typed(); });
    const range = make("span", { class: "unrolled-lab-range", id: `${id}-range` },
      `${stops[0]} to ${stops[stops.length - 1]}`);
    text.setAttribute("aria-describedby", range.id);
    return {
      element: make("div", { class: "unrolled-lab-control" },
        make("label", { for: id }, label), slider, text, range),
      input: text,
      get: () => text.value,
      set: (entry) => { text.value = entry; place(); },
    };
  },

  choice({ label, options, name }, id, send) {
    const select = make("select", { id, name }, ...options.map((option) => make("option", {}, option)));
    select.addEventListener("change", send);
    return {
      element: make("div", { class: "unrolled-lab-control" }, make("label", { for: id }, label), select),
      input: select,
      get: () => select.value,
      set: (entry) => { select.value = entry; },
    };
  },

  toggle({ label, name }, id, send) {
    const box = make("input", { type: "checkbox", id, name });
    box.addEventListener("change", send);
    return {
      element: make("div", { class: "unrolled-lab-control" }, make("label", { for: id }, label), box),
      input: box,
      get: () => box.checked,
      set: (entry) => { box.checked = entry; },
    };
  },
};

function render({ model, el }) {
  const id = `lab-${model.get("name")}-${++count}`;
  const specs = model.get("controls");
  const send = () => {
    const entered = Object.fromEntries(specs.map(({ name }) => [name, controls[name].get()]));
    model.set("entered", entered);
    model.save_changes();
  };
  const controls = Object.fromEntries(
    specs.map((spec) => [spec.name, CONTROLS[spec.kind](spec, `${id}-${spec.name}`, send)]));

  const reset = make("button", { type: "button" }, "Back to the start");
  reset.addEventListener("click", () => {
    for (const { name, entry } of specs) controls[name].set(entry);
    send();
  });
  const bar = make("progress", { max: 1, "aria-label": "Progress of the computation" });
  const message = make("span");
  const work = make("div", { class: "unrolled-lab-progress" }, bar, message);
  const form = make("form", { class: "unrolled-lab-controls" },
    ...specs.map(({ name }) => controls[name].element),
    make("div", { class: "unrolled-lab-row" }, reset, work));
  form.addEventListener("submit", (event) => event.preventDefault());
  const alert = make("p", { class: "unrolled-lab-alert", role: "alert" });
  const picture = make("div", { class: "unrolled-lab-picture" });
  const summary = make("div", { class: "unrolled-lab-summary", "aria-live": "polite" });

  const views = {
    entered: () => {
      for (const [name, entry] of Object.entries(model.get("entered"))) {
        if (controls[name].get() !== entry) controls[name].set(entry);
      }
    },
    invalid: () => {
      for (const { name } of specs) {
        controls[name].input.setAttribute("aria-invalid", String(name === model.get("invalid")));
      }
    },
    alert: () => { alert.textContent = model.get("alert"); },
    busy: () => {
      work.hidden = !model.get("busy");
      picture.setAttribute("aria-busy", String(model.get("busy")));
    },
    done: () => { bar.value = model.get("done"); },
    message: () => { message.textContent = model.get("message") || "Computing …"; },
    stale: () => {
      for (const part of [picture, summary]) {
        part.classList.toggle("unrolled-lab-stale", model.get("stale"));
      }
    },
    figure: () => { picture.innerHTML = model.get("figure"); },
    summary: () => { summary.innerHTML = model.get("summary"); },
  };

  const root = make("div",
    { class: "unrolled-lab", role: "group", "aria-labelledby": `${id}-title` },
    make("p", { class: "unrolled-lab-kicker" }, "Lab"),
    make("p", { class: "unrolled-lab-title", id: `${id}-title` }, model.get("title")),
    form, alert, picture, summary);
  // JupyterLab takes the arrow keys and Enter from a focused element that does not say this itself.
  for (const input of form.querySelectorAll("input, select, button")) {
    input.dataset.lmSuppressShortcuts = "true";
  }
  el.append(root);
  document.querySelectorAll(`[id="lab-${model.get("name")}"]`).forEach((picture) => picture.remove());
  for (const [trait, show] of Object.entries(views)) {
    show();
    model.on(`change:${trait}`, show);
  }
  return () => Object.entries(views).forEach(([trait, show]) => model.off(`change:${trait}`, show));
}

export default { render };
