// What the pages do better with JavaScript. Each works without.

document.documentElement.classList.add("js");

const every = (selector, act, root = document) => root.querySelectorAll(selector).forEach(act);
const texts = JSON.parse(document.body.dataset.texts);
const text = (name, values = {}) => texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// Choosing a file, or dropping it anywhere on the page, reads it at once and shows how much has been sent.

function readAtOnce(form) {
  const input = form.querySelector("input[type=file]");
  const progress = form.querySelector(".drop-progress");
  const say = (said, { isFault = false } = {}) => {
    const place = form.querySelector("[data-drop-text]");
    place.textContent = said;
    place.classList.toggle("fault", isFault);
  };

  function send() {
    const file = input.files[0];
    if (!file) return;
    progress.hidden = false;
    if (file.size > Number(form.dataset.maxBytes)) {
      progress.querySelector("progress").hidden = true;
      say(text("tooLarge", { name: file.name, size: form.dataset.maxText }), { isFault: true });
      input.value = "";
      return;
    }
    progress.querySelector("progress").hidden = false;
    say(text("sending", { name: file.name }));
    const call = new XMLHttpRequest();
    call.upload.addEventListener("progress", (event) => {
      progress.querySelector("progress").value = event.lengthComputable ? (100 * event.loaded) / event.total : 0;
      if (event.loaded === event.total) say(text("reading"));
    });
    call.addEventListener("load", () => {
      const isRead = call.status < 300 && new URL(call.responseURL).pathname !== location.pathname;
      if (isRead) location.assign(call.responseURL);
      else replacePage(call.responseText);
    });
    call.addEventListener("error", () => say(text("broken"), { isFault: true }));
    call.open("POST", form.action);
    call.setRequestHeader("Accept", "text/html");
    call.send(new FormData(form));
  }

  input.addEventListener("change", send);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("drop-over", depth > 0);
  };
  addEventListener("dragenter", (event) => { event.preventDefault(); mark(1); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("dragleave", () => mark(-1));
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-depth);
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    send();
  });
}

function replacePage(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  document.title = page.title;
  document.querySelector("main").replaceWith(page.querySelector("main"));
  enhance(document);
  document.querySelector("main").focus({ preventScroll: true });
  scrollTo(0, 0);
}

// Another column is used as soon as it is chosen; what was chosen among the options goes along.

function rereadAtOnce(form) {
  const start = document.getElementById("start-form");
  form.addEventListener("submit", () => {
    every("input[data-along]", (each) => each.remove(), form);
    if (!start) return;
    for (const [name, value] of new FormData(start)) {
      if (name === "csrf_token") continue;
      const along = Object.assign(document.createElement("input"), { type: "hidden", name, value });
      along.dataset.along = "";
      form.append(along);
    }
  });
  every("select", (each) => each.addEventListener("change", () => form.requestSubmit()), form);
}

// A form is sent once, however often its button is clicked.

function sendOnce(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => delete form.dataset.sent);
}

// Thumbnails are loaded one after the other, once they come into view: our server downloads each from its host.

function loadThumbnails(places) {
  const queue = [];
  let isLoading = false;
  async function next() {
    if (isLoading) return;
    isLoading = true;
    while (queue.length) await load(queue.shift());
    isLoading = false;
  }
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      queue.push(target);
    }
    next();
  }, { rootMargin: "100px" });
  places.forEach((place) => seen.observe(place));
}

async function load(place) {
  for (let tries = 0; tries < 5; tries += 1) {
    const answer = await fetch(place.dataset.thumb, { headers: { Accept: "image/jpeg, application/json" } }).catch(() => null);
    if (answer?.headers.get("Content-Type") === "image/jpeg") {
      const image = Object.assign(new Image(44, 44), { alt: place.dataset.alt, src: place.dataset.thumb });
      place.replaceChildren(image);
      return;
    }
    if (answer?.status === 204) return;
    if (answer?.status !== 202) {
      const problem = await answer?.json().catch(() => null);
      place.replaceChildren("–");
      place.classList.add("thumb-none");
      if (problem?.detail) {
        const fault = Object.assign(document.createElement("span"), { className: "cell-fault", textContent: problem.detail });
        place.nextElementSibling?.append(fault);
      }
      return;
    }
    await pause(1);
  }
}

// The progress of a request is polled as often as the server suggests. The page is loaded again when it has ended.

async function poll(place) {
  let wait = Number(place.dataset.after) || 2;
  let etag = "";
  let images = "";
  for (;;) {
    await pause(wait);
    if (!place.isConnected) return;
    if (document.hidden) continue;
    const answer = await fetch(place.dataset.poll, { cache: "no-store", headers: etag ? { "If-None-Match": etag } : {} }).catch(() => null);
    if (!answer || answer.status >= 500) {
      wait = 10;
      continue;
    }
    if (answer.status >= 400) return;
    if (answer.status === 200) {
      etag = answer.headers.get("ETag");
      place.innerHTML = await answer.text();
      every("time", showLocalTime, place);
      const headline = place.querySelector("strong");
      document.querySelector("[data-live]").textContent = headline.textContent;
      document.title = document.title.replace(/^[^·]*/, () => `${headline.dataset.title} `);
    }
    wait = Number(answer.headers.get("Retry-After"));
    if (!wait) return refresh();
    const now = answer.headers.get("X-Images");
    if (images !== now) showPictures();
    images = now;
  }
}

const fetchPage = async (url) => {
  const answer = await fetch(url, { headers: { Accept: "text/html" } }).catch(() => null);
  return answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
};

async function refresh() {
  const page = await fetchPage(location.href);
  if (!page) return;
  document.title = page.title;
  document.querySelector("main").replaceWith(page.querySelector("main"));
  enhance(document.querySelector("main"));
  const live = document.querySelector("[data-live]");
  if (live) live.textContent = document.querySelector("#progress strong").textContent;
}

// What would be cancelled is counted again when the question opens: the page may be older.

function recount(question) {
  question.addEventListener("toggle", async () => {
    const fresh = question.open ? await fetchPage(location.href) : null;
    const counts = fresh?.querySelectorAll("[data-recount] [data-count]") ?? [];
    every("[data-count]", (each, index) => { if (counts[index]) each.innerHTML = counts[index].innerHTML; }, question);
  });
}

// While the first page of pictures is not full, new ones are added to it.

async function showPictures() {
  const pictures = document.getElementById("pictures");
  if (!pictures || pictures.contains(document.activeElement) || pictures.querySelectorAll(".tile").length >= 24) return;
  const page = await fetchPage(location.href);
  const fresh = page?.getElementById("pictures");
  if (fresh) {
    pictures.replaceWith(fresh);
    enhance(fresh);
  }
}

// Before and after lie over each other, and a slider moves the edge between them.

function addSlider(compare) {
  const stage = compare.querySelector(".compare-stage");
  const [before] = stage.querySelectorAll("img");
  compare.classList.add("compare-on");
  compare.style.setProperty("--width", `${compare.dataset.width}px`);
  compare.style.setProperty("--ratio", before.getAttribute("width") / before.getAttribute("height"));
  const scroll = Object.assign(document.createElement("div"), { className: "compare-scroll", tabIndex: 0 });
  scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", text("compare"));
  stage.replaceWith(scroll);
  scroll.append(stage);
  const tools = Object.assign(document.createElement("div"), { className: "compare-tools" });
  const id = `slider-${compare.dataset.width}-${Math.floor(Math.random() * 1e6)}`;
  const label = Object.assign(document.createElement("label"), { htmlFor: id, textContent: text("slider") });
  const slider = Object.assign(document.createElement("input"), { type: "range", id, min: 0, max: 100, value: 50 });
  const exact = Object.assign(document.createElement("button"), { type: "button", className: "button button-small", textContent: text("exact") });
  exact.setAttribute("aria-pressed", "false");
  const move = () => {
    compare.style.setProperty("--at", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", text("before", { percent: (slider.value / 100).toLocaleString(document.documentElement.lang, { style: "percent" }) }));
  };
  slider.addEventListener("input", move);
  const drag = (event) => {
    if (!event.buttons) return;
    const box = before.getBoundingClientRect();
    slider.value = (100 * (event.clientX - box.left)) / box.width;
    move();
  };
  stage.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    drag(event);
  });
  stage.addEventListener("pointermove", drag);
  exact.addEventListener("click", () => {
    const isExact = compare.classList.toggle("compare-exact");
    exact.setAttribute("aria-pressed", String(isExact));
    exact.textContent = text(isExact ? "fit" : "exact");
  });
  tools.append(label, slider, exact);
  compare.append(tools);
  move();
}

// A picture opens over the gallery; with a modifier key, in a new tab, or without JavaScript it is a page.

function openOverGallery(link) {
  link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const page = await fetchPage(link.href);
    const picture = page?.getElementById("picture");
    if (!picture) return location.assign(link.href);
    const dialog = Object.assign(document.createElement("dialog"), { className: "dialog" });
    dialog.setAttribute("aria-label", picture.querySelector("h1").textContent);
    const close = Object.assign(document.createElement("button"), { type: "button", className: "button button-small dialog-close", textContent: text("close") });
    close.addEventListener("click", () => dialog.close());
    dialog.append(close, picture);
    dialog.addEventListener("click", (click) => { if (click.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
    document.body.append(dialog);
    dialog.showModal();
    every("[data-slider]", addSlider, dialog);
    every("time", showLocalTime, dialog);
    dialog.querySelector("input[type=range]")?.focus();
  });
}

// What opened over the page closes with Escape or a click beside it.

addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  every("details.pop[open]", (each) => { each.open = false; each.querySelector("summary").focus(); });
});
addEventListener("click", (event) => every("details.pop[open]", (each) => { if (!each.contains(event.target)) each.open = false; }));

// Times are written for the reader's time zone. The server does not know it, and writes UTC, which stays as the hint.

function showLocalTime(place) {
  const { lang } = document.documentElement;
  const moment = new Date(place.dateTime);
  const language = lang === "en" ? "sv-SE" : lang; // as the server does: Swedish times are those of ISO 8601
  const local = moment.toLocaleString(language, { dateStyle: lang === "en" ? "short" : "medium", timeStyle: "medium" });
  const written = place.textContent.trim();
  if (place.title) place.title = local;
  if (!written.endsWith(" UTC")) return;
  place.title = written;
  place.textContent = /^\d\d:/.test(written) ? moment.toLocaleTimeString(language) : local;
}

// Commands can be copied where the browser allows it (it wants HTTPS or loopback).

function addCopyButton(command) {
  if (!navigator.clipboard) return;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button button-small copy", textContent: text("copy") });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(command.textContent);
    button.textContent = text("copied");
    await pause(2);
    button.textContent = text("copy");
  });
  command.after(button);
}

function enhance(root) {
  every("form[data-drop]", readAtOnce, root);
  every("form[data-reread]", rereadAtOnce, root);
  every("form[data-once]", sendOnce, root);
  every("[data-copy]", addCopyButton, root);
  every("time", showLocalTime, root);
  every("[data-poll]", poll, root);
  every("[data-recount]", recount, root);
  every("[data-slider]", addSlider, root);
  every("a[data-compare], a[data-over]", openOverGallery, root);
  loadThumbnails(root.querySelectorAll("[data-thumb]"));
}

enhance(document);
