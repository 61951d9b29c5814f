// A file of its own, because the page's Content-Security-Policy allows no inline script.
const place = document.getElementById("swagger-ui");
SwaggerUIBundle({ url: place.dataset.spec, domNode: place, deepLinking: true, validatorUrl: null });
