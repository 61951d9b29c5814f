// Squoosh's codecs as WebAssembly: reads a line of JSON for each picture, answers with the file and the CPU milliseconds.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const MODULES = {
  jpeg: ["jpeg", "mozjpeg_enc"],
  webp: ["webp", "webp_enc_simd"],
  avif: ["avif", "avif_enc"],
};
const encoders = {};

async function encoder(format) {
  const [name, file] = MODULES[format];
  const { default: encode, init } = await import(`@jsquash/${name}/encode.js`);
  const wasm = new URL(`node_modules/@jsquash/${name}/codec/enc/${file}.wasm`, import.meta.url);
  await init(await WebAssembly.compile(readFileSync(wasm)));
  return encode;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { format, width, height, pixels, options } = JSON.parse(line);
  const encode = (encoders[format] ??= await encoder(format));
  const data = new Uint8ClampedArray(Buffer.from(pixels, "base64"));
  const before = process.cpuUsage();
  const body = Buffer.from(await encode({ data, width, height }, options));
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ body: body.toString("base64"), ms: (user + system) / 1000 }));
}
