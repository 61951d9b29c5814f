// Reads a picture as a line of JSON, encodes it by sharp, and answers with the file and the CPU milliseconds.
import { createInterface } from "node:readline";
import sharp from "sharp";

sharp.concurrency(1);
sharp.cache(false);

for await (const line of createInterface({ input: process.stdin })) {
  const { format, width, height, pixels, options } = JSON.parse(line);
  const picture = sharp(Buffer.from(pixels, "base64"), { raw: { width, height, channels: 3 } });
  const before = process.cpuUsage();
  const body = await picture.toFormat(format, options).toBuffer();
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ body: body.toString("base64"), ms: (user + system) / 1000 }));
}
