"use strict";
const HERE = "http://127.0.0.1:8000"; // in the document's samples: this page's own origin takes its place
const A_KEY = "KEY=$(mien services create friends --type recognition)";
const find = (id) => document.getElementById(id);

/** An element with attributes, and with children that are nodes, texts, or nothing. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
  element.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return element;
}

/** Text with `code` and **strong** in it. */
const inline = (text) => text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) =>
  part.startsWith("`") ? make("code", {}, part.slice(1, -1))
    : part.startsWith("**") ? make("strong", {}, part.slice(2, -2)) : part);

/** Text that may go on in the next line after a sign. */
const breakable = (text) => text.split(/(?<=[/?&,.])(?=\w)/).flatMap((part) => [part, make("wbr")]);

const words = (name) => name.replace(/(?<=[a-z])(?=[A-Z])/g, " ")
  .replace(/ \w/g, (start) => start.toLowerCase()).replace(/\bapi$/, "API");
const verb = (name) => make("span", { class: `verb ${name}` }, name === "delete" ? "DEL" : name.toUpperCase());

/** What a schema takes, in words: `integer, 0 or more`. */
function type(schema) {
  const { minimum: least, maximum: most, format, items } = schema;
  if (schema.$ref) return "object";
  if (schema.contentEncoding) return schema.contentEncoding;
  if (format === "binary") return "file";
  if (format === "uuid") return "UUID";
  if (schema.type === "array") return items.enum ? "list, by commas" : `array of ${type(items).replace(/^\w+/, "$&s")}`;
  if (least !== undefined && most !== undefined) return `${schema.type}, ${least} to ${most}`;
  return least === undefined ? schema.type : `${schema.type}, ${least} or more`;
}

function row(name, notes, text) {
  return make("tr", {}, make("th", { scope: "row" }, make("code", {}, breakable(name)), notes), make("td", {}, inline(text ?? "")));
}
const note = (text, kind = "") => make("small", { class: kind }, text);

function parameters(operation) {
  if (!operation.parameters) return [];
  const rows = operation.parameters.map(({ name, description, required, schema, in: place }) => {
    const preset = String(schema.default ?? "") && note(`default ${schema.default}`);
    return row(name, [note(type(schema)), required ? note(place === "path" ? "in the path" : "required", "must") : preset], description);
  });
  return [make("h4", {}, "Parameters"), make("table", {}, rows)];
}

function body(operation) {
  if (!operation.requestBody) return [];
  const { content, description } = operation.requestBody;
  const media = Object.entries(content).map(([name, { schema }]) => {
    const rows = Object.entries(schema.properties ?? {}).map(([member, inner]) => row(member, note(type(inner)), inner.description));
    const whole = schema.properties ? "" : `: ${type(schema)}`;
    return [make("p", { class: "media" }, make("code", {}, name), whole), rows.length > 0 && make("table", {}, rows)];
  });
  return [make("h4", {}, "Body"), description && make("p", { class: "media" }, description), media];
}

/** The fields of an answer, those inside others by their whole path. */
function* fields(schema, schemas, path = "") {
  if (schema.$ref) return yield* fields(schemas[schema.$ref.split("/").pop()], schemas, path);
  if (schema.type === "array" && (schema.items.$ref || schema.items.properties)) return yield* fields(schema.items, schemas, `${path}[]`);
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const whole = path ? `${path}.${name}` : name;
    yield row(whole, note(type(inner)), inner.description);
    yield* fields(inner, schemas, whole);
  }
}

function answers(operation, schemas) {
  const all = Object.entries(operation.responses);
  const chips = (some) => some.map(([status]) => make("span", { class: "chip" }, status));
  const good = all.filter(([status]) => status < 400), bad = all.filter(([status]) => status >= 400);
  const shown = good.flatMap(([, { content }]) => Object.values(content).flatMap(({ schema }) => [...fields(schema ?? {}, schemas)]));
  const refused = bad.flatMap(([status, { description }]) => [...description.matchAll(/^\* `(\d+)` (.*)$/gm)]
    .map(([, code, message]) => make("tr", {}, make("th", { scope: "row" }, make("code", {}, status), note(`code ${code}`)), make("td", {}, message))));
  return [
    shown.length > 0 && make("details", {}, make("summary", {}, "Fields of the answer ", chips(good)), make("table", { class: "fields" }, shown)),
    refused.length > 0 && make("details", {}, make("summary", {}, "Errors ", chips(bad)), make("table", { class: "errors" }, refused)),
  ];
}

const ROOM = 60; // letters on a line
/** JSON as people write it: what fits on a line is on one. */
function pretty(value, indent = "", before = 0) {
  const flat = JSON.stringify(value, null, 1).replace(/\n\s*/g, " ").replace(/([[{]) | ([\]}])/g, "$1$2");
  if (value === null || typeof value !== "object" || indent.length + before + flat.length < ROOM) return flat;
  const inner = `${indent}  `;
  if (Array.isArray(value) && value.every((each) => typeof each === "number")) { // as many on a line as fit
    const lines = value.join(", ").match(new RegExp(`.{1,${ROOM - inner.length}}(?:, |$)`, "g"));
    return `[\n${lines.map((line) => inner + line.trimEnd()).join("\n")}\n${indent}]`;
  }
  const parts = Array.isArray(value) ? value.map((each) => pretty(each, inner))
    : Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${pretty(each, inner, name.length + 4)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${parts.map((part) => inner + part).join(",\n")}\n${indent}${close}`;
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null)/g;
function coloured(json) {
  const parts = [];
  let end = 0;
  for (const found of json.matchAll(TOKEN)) {
    const [, string, colon, number] = found;
    parts.push(json.slice(end, found.index), make("span", { class: colon ? "key" : number ? "number" : "string" }, string ?? number), colon);
    end = found.index + found[0].length;
  }
  return [...parts, json.slice(end)];
}

/** What a terminal shows, with a caption; the text `copied` has a button. */
function figure(caption, content, name, copied) {
  const button = copied && make("button", { type: "button", "aria-label": `Copy: ${name}` }, "Copy");
  button?.addEventListener("click", () => copy(copied, button));
  return make("figure", {}, make("figcaption", {}, caption, button), content && make("pre", { tabindex: 0, role: "region", "aria-label": name }, content));
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // only a page that came by HTTPS, or from this machine, has the clipboard
    const area = make("textarea", { class: "unseen" });
    area.value = text;
    button.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const label = button.getAttribute("aria-label");
  button.textContent = "Copied";
  button.setAttribute("aria-label", "Copied");
  setTimeout(() => {
    button.textContent = "Copy";
    button.setAttribute("aria-label", label);
  }, 1500);
}

const shortening = (example) => example?.summary && make("i", {}, example.summary);

function terminal(operation) {
  const name = words(operation.operationId);
  const line = operation["x-codeSamples"]?.[0].source.replaceAll(HERE, location.origin);
  const folded = line?.length < 64 ? line : line?.replace(/ (?=-[A-Zd] |"http)/g, " \\\n  ").replace(/^(curl) \\\n {2}(-X \w+|-H "x-api-key)/, "$1 $2");
  const sent = operation.requestBody?.content["application/json"]?.examples?.real;
  const file = line?.match(/-d @([\w.]+)/)?.[1];
  const answered = Object.entries(operation.responses).flatMap(([status, { content }]) => Object.entries(content ?? {})
    .filter(([, { examples }]) => status < 400 || examples).map(([kind, { examples }]) => {
      const caption = [make("b", { class: status < 400 ? "" : "refused" }, status), kind, shortening(examples?.real)];
      return figure(caption, examples && coloured(pretty(examples.real.value)), `Answer of ${name}`);
    }));
  return make("div", { class: "terminal" },
    folded && figure("curl", breakable(folded), `Request of ${name}`, folded),
    file && sent && figure([file, shortening(sent)], coloured(pretty(sent.value)), `What ${name} is sent`),
    answered);
}

function article(path, method, operation, schemas) {
  const parts = path.split(/(\{\w+\})/).map((part) => part.startsWith("{") ? make("i", {}, part) : part);
  return make("article", { id: operation.operationId },
    make("div", {},
      make("h3", {}, make("a", { href: `#${operation.operationId}` }, inline(operation.summary))),
      make("p", { class: "call" }, verb(method), make("span", { class: "path" }, parts)),
      make("p", { class: "about" }, inline(operation.description)),
      parameters(operation), body(operation), answers(operation, schemas)),
    terminal(operation));
}

function show({ info, tags, paths, components }) {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  find("version").textContent = info.version;
  find("about").append(
    make("div", {}, make("h1", {}, info.summary), info.description.trim().split("\n\n").map((text) => make("p", {}, inline(text)))),
    make("div", { class: "terminal" }, figure("A key, for the lines below", A_KEY, "How to get a key", A_KEY)));
  for (const { name, description } of tags) {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    find("endpoints").append(make("section", { class: "group", "aria-label": name }, make("h2", {}, name), make("p", {}, description),
      own.map(({ path, method, operation }) => article(path, method, operation, components.schemas))));
    find("contents").append(make("section", {}, make("h2", {}, name), make("ul", {}, own.map(({ method, operation }) =>
      make("li", {}, make("a", { href: `#${operation.operationId}` }, words(operation.operationId), verb(method)))))));
  }
  find("state").textContent = "";
  find("filter").addEventListener("input", () => filter(operations));
  find("menu").addEventListener("click", () => menu(find("menu").getAttribute("aria-expanded") === "false"));
  find("contents").addEventListener("click", () => menu(false));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") menu(false);
    if (event.key === "/" && !/INPUT|TEXTAREA/.test(document.activeElement.tagName)) {
      event.preventDefault();
      find("filter").focus();
    }
  });
  follow();
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView({ behavior: "instant" });
}

/** Opens or closes the contents, where there is no room for them beside the text. */
function menu(open) {
  find("menu").setAttribute("aria-expanded", open);
}

/** Leaves what has every word of the filter in its name, path, verb or text. */
function filter(operations) {
  const wanted = find("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const { path, method, operation } of operations) {
    const own = operation.parameters?.map(({ name }) => name) ?? [];
    const text = [method, path, operation.operationId, operation.summary, operation.description, operation.tags, own].flat().join(" ").toLowerCase();
    const fits = wanted.every((word) => text.includes(word));
    left += fits;
    find(operation.operationId).hidden = !fits;
    document.querySelector(`nav a[href="#${operation.operationId}"]`).parentElement.hidden = !fits;
  }
  for (const group of document.querySelectorAll("main section, nav section")) {
    group.hidden = !group.querySelector("article:not([hidden]), li:not([hidden])");
  }
  scrollTo({ top: 0, behavior: "instant" });
  find("about").hidden = wanted.length > 0;
  find("state").hidden = wanted.length === 0;
  find("state").textContent = left ? `${left} of ${operations.length} endpoints` : "No endpoint has all of these words.";
}

/** Marks in the contents what is being read. */
function follow() {
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = document.querySelector(`nav a[href="#${target.id}"]`);
      if (isIntersecting) link.setAttribute("aria-current", "location");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-20% 0px -75%" });
  for (const each of document.querySelectorAll("article")) seen.observe(each);
}

fetch("/api/v1/openapi.json")
  .then((answer) => answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`)))
  .then(show)
  .catch((error) => { find("state").textContent = `The document could not be shown (${error.message}). Try again.`; });
