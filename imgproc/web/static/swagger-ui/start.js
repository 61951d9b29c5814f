// A file of its own, because the page's Content-Security-Policy allows no inline script.
const place = document.getElementById("swagger-ui");

// Swagger UI puts links into buttons, where a keyboard finds two controls for one, and gives some lists no name.
function mend() {
  place.querySelectorAll("button a[href]").forEach((link) => link.removeAttribute("href"));
  place.querySelectorAll("select:not([aria-label])").forEach((list) => list.setAttribute("aria-label", list.id || "Choice"));
}
new MutationObserver(mend).observe(place, { childList: true, subtree: true });
SwaggerUIBundle({ url: place.dataset.spec, domNode: place, deepLinking: true, validatorUrl: null });
