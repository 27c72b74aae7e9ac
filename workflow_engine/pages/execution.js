// What the page of an execution does beyond links: buttons that copy, and sprites that show the
// picture of a moment. `mediaflow.enhance(element)` does it for what a live page has put in anew.
"use strict";

window.mediaflow = {
  enhance(root) {
    if (navigator.clipboard) {
      for (const button of root.querySelectorAll("button.copy")) {
        button.hidden = false;
        button.addEventListener("click", async () => {
          await navigator.clipboard.writeText(button.previousElementSibling.textContent);
          button.textContent = "Copied";
        });
      }
    }
    for (const figure of root.querySelectorAll("figure[data-cells]")) {
      mediaflow.sprite(figure);
    }
    // what this browser cannot play, it cannot show either: its link stays
    for (const source of root.querySelectorAll(".player source")) {
      source.addEventListener("error", () => {
        const column = source.closest(".players").parentElement;
        source.closest("figure").remove();
        if (column.querySelector("figure")) return;
        column.parentElement.classList.remove("two");
        column.remove();
      });
    }
  },

  // one cell of a sprite at a time, under the pointer or by a slider
  sprite(figure) {
    const picture = figure.querySelector("img");
    if (!picture) return;
    if (!picture.complete) {
      picture.addEventListener("load", () => mediaflow.sprite(figure), { once: true });
      return;
    }
    const [columns, lines] = figure.dataset.cells.split(" ").map(Number);
    const moments = figure.dataset.moments.split(" ").map(Number);
    const wide = picture.naturalWidth, high = picture.naturalHeight;
    if (!wide) return;
    const width = wide / columns, height = high / lines;
    const name = "http://www.w3.org/2000/svg";
    const view = document.createElementNS(name, "svg");
    const sheet = document.createElementNS(name, "image");
    sheet.setAttribute("href", picture.src);
    sheet.setAttribute("width", wide);
    sheet.setAttribute("height", high);
    view.append(sheet);
    view.setAttribute("class", "cell");
    view.setAttribute("role", "img");
    const slider = document.createElement("input");
    slider.type = "range";
    slider.min = 0;
    slider.max = moments.length - 1;
    slider.value = 0;
    slider.setAttribute("aria-label", `Moment of ${picture.alt}`);
    const told = document.createElement("output");
    const show = () => {
      const cell = Number(slider.value);
      const x = (cell % columns) * width, y = Math.floor(cell / columns) * height;
      view.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
      view.setAttribute("aria-label", `The picture at ${moments[cell]} s`);
      told.textContent = `${moments[cell]} s`;
    };
    slider.addEventListener("input", show);
    view.addEventListener("pointermove", (event) => {
      const box = view.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      slider.value = Math.floor(share * moments.length);
      show();
    });
    show();
    figure.prepend(view, slider, told);
    if (picture.parentElement.matches("a")) picture.replaceWith("The whole sprite");
    else picture.remove();
  },
};

mediaflow.enhance(document);
