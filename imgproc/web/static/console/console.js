// What the pages do better with JavaScript. Each works without.
