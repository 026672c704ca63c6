// The front end of an explorable. JupyterLab loads it through anywidget (the default export below),
// a page of the site as a script. Own sliders set the signals of one Vega view; its colours are CSS
// custom properties, so a change of theme needs no code here.

// The payload of a root element: JSON, compressed and in base64.
function unpack(root) {
  const packed = root.querySelector(":scope > script[type='application/gzip']").textContent;
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

// Brings a root element to life; gives the function that ends it.
async function start(root, loadVega) {
  const { alt, sliders, bars, spec } = await unpack(root);
  await loadVega();
  const box = root.querySelector(".unrolled-explorable-chart");
  const chart = document.createElement("div");
  const options = { mode: "vega", renderer: "svg", actions: false, defaultStyle: false };
  const { view, finalize } = await window.vegaEmbed(chart, spec, options);

  // One image to a screen reader; its parts have no words of their own.
  const svg = chart.querySelector("svg");
  svg.firstElementChild.setAttribute("aria-hidden", "true");
  for (const name of ["role", "aria-roledescription", "aria-label"]) {
    svg.parentElement.removeAttribute(name);
  }
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", alt);

  const margin = svg.viewBox.baseVal.width - view.width();
  const fit = () => {
    const width = Math.floor(box.clientWidth - margin);
    if (width > 0 && width !== view.width()) return view.width(width).runAsync();
  };
  await fit();
  box.replaceChildren(chart);
  const resized = new ResizeObserver(fit);
  resized.observe(box);

  const status = document.createElement("p");
  status.className = "unrolled-explorable-status";
  status.setAttribute("role", "status");
  let pause;
  const moved = async (signal, value) => {
    await view.signal(signal, value).runAsync();
    clearTimeout(pause);
    pause = setTimeout(() => (status.textContent = spoken(view, bars)), 700);
  };
  const controls = root.querySelector(".unrolled-explorable-sliders");
  controls.replaceChildren(...sliders.map((slider) => control(root.id, slider, moved)));
  controls.after(status);
  root.unrolledView = view;
  return () => {
    resized.disconnect();
    clearTimeout(pause);
    finalize();
  };
}

function control(rootId, { signal, label, shown, start }, moved) {
  const element = document.createElement("div");
  element.className = "unrolled-explorable-slider";
  const id = `${rootId}-${signal}`;
  const name = Object.assign(document.createElement("label"), { htmlFor: id, textContent: label });
  const output = document.createElement("span");
  output.setAttribute("aria-hidden", "true"); // said as the value of the slider
  const input = document.createElement("input");
  // The order matters: a value is clamped to the range that the slider has at that moment.
  Object.assign(input, { id, type: "range", min: 0, max: shown.length - 1, step: 1, value: start });
  input.dataset.lmSuppressShortcuts = ""; // else JupyterLab moves between cells with the arrow keys
  const show = () => {
    output.textContent = shown[input.value];
    input.setAttribute("aria-valuetext", shown[input.value]);
  };
  input.addEventListener("input", () => {
    show();
    moved(signal, Number(input.value));
  });
  show();
  element.append(name, output, input);
  return element;
}

// The numbers of the bars in words, for those who do not see them move.
function spoken(view, bars) {
  const rows = bars.flatMap((data) => view.data(data));
  return rows.map(({ x, series, y }) => `${x}, ${series}: ${Number(y.toPrecision(3))}`).join("; ");
}

function fail(root, error) {
  const message = document.createElement("p");
  message.className = "unrolled-explorable-error";
  message.textContent = "The sliders could not be started; the chart stays as it is.";
  root.querySelector(".unrolled-explorable-sliders").append(message);
  console.error(error);
}

async function loadFromModel(model) {
  if (window.vegaEmbed) return;
  const url = URL.createObjectURL(new Blob([model.get("vega")], { type: "text/javascript" }));
  await import(url);
  URL.revokeObjectURL(url);
}

function render({ model, el }) {
  el.innerHTML = model.get("page");
  const root = el.querySelector(".unrolled-explorable");
  const started = start(root, () => loadFromModel(model)).catch((error) => fail(root, error));
  return async () => (await started)?.();
}

export default { render };

// The site's pages say where its root is; a notebook has nothing of the kind.
const siteRoot = document.documentElement.dataset.content_root;
if (siteRoot !== undefined) {
  const bundle = new URL(`${siteRoot}_static/vendor/vega.js`, document.baseURI);
  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        start(target, () => import(bundle)).catch((error) => fail(target, error));
      }
    },
    { rootMargin: "600px" },
  );
  document.querySelectorAll(".unrolled-explorable").forEach((root) => near.observe(root));
}
