// Reads paths of pictures, one a line; prints each as a PNG in base64, upright, in sRGB, on white, or an empty line.
const fs = require("node:fs");
const readline = require("node:readline");
const sharp = require("sharp");

sharp.cache(false);

async function show(path) {
  const picture = sharp(fs.readFileSync(path), { failOn: "error", limitInputPixels: 50_000_000 }).autoOrient();
  const png = picture.flatten({ background: "white" }).toColourspace("srgb").png({ compressionLevel: 1 });
  return (await png.toBuffer()).toString("base64");
}

(async () => {
  for await (const path of readline.createInterface({ input: process.stdin })) {
    console.log(await show(path).catch(() => ""));
  }
})();
