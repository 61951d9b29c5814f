// Reads paths of JPEGs, one a line, halves each at quality 50, and prints the cost in seconds.
const fs = require("node:fs");
const readline = require("node:readline");
const sharp = require("sharp");

sharp.concurrency(1);
sharp.cache(false);

async function half(path) {
  const source = fs.readFileSync(path);
  const cpu = process.cpuUsage();
  const wall = process.hrtime.bigint();
  const { width } = await sharp(source).metadata();
  await sharp(source).resize(Math.floor(width / 2)).jpeg({ quality: 50 }).toBuffer();
  const used = process.cpuUsage(cpu);
  return { cpu: (used.user + used.system) / 1e6, wall: Number(process.hrtime.bigint() - wall) / 1e9 };
}

readline.createInterface({ input: process.stdin }).on("line", async (path) => {
  console.log(JSON.stringify(await half(path)));
});
