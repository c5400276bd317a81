// The page says everything without this. It adds sorting of tables, the choice of a layer, and
// the controls of an animation.
"use strict";

function sortValue(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  return value === "" ? cell.textContent.trim() : Number(value);
}

function compare(left, right) {
  const numbers = [left, right].map((value) => typeof value === "number");
  if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
  return numbers[0] ? left - right : left.localeCompare(right, "en", { numeric: true });
}

function sortBy(table, column) {
  const heads = [...table.tHead.rows[0].cells];
  const descending = heads[column].getAttribute("aria-sort") === "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  rows.sort((a, b) => compare(sortValue(a, column), sortValue(b, column)) * (descending ? -1 : 1));
  body.append(...rows);
}

function chooseLayer(section, layer) {
  section.querySelectorAll("[data-layer]").forEach((one) => {
    one.classList.toggle("off", layer !== "" && one.dataset.layer !== layer);
  });
}

document.querySelectorAll("table").forEach((table) => {
  if (table.tBodies[0].rows.length < 2) return;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(table, column));
    head.replaceChildren(button);
  });
});

document.querySelectorAll("[data-choose-layer]").forEach((select) => {
  select.closest(".choice").hidden = false;
  select.addEventListener("change", () => chooseLayer(select.closest("section"), select.value));
});

document.querySelectorAll(".events[style]").forEach((figure) => {
  const [play, all] = figure.querySelectorAll("button");
  let moving = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  function show() {
    play.textContent = moving ? "Pause" : "Play";
    figure.classList.toggle("paused", !moving);
  }
  play.addEventListener("click", () => {
    moving = !moving;
    if (moving) figure.classList.add("moving");
    if (moving) figure.classList.remove("still");
    show();
  });
  all.addEventListener("click", () => {
    moving = false;
    figure.classList.add("still");
    show();
  });
  figure.querySelector(".choice").hidden = false;
  show();
});
