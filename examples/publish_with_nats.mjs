// Submit a Quire job and follow its life from JavaScript: four headers, a JSON body, no Quire code.
//   npm install @nats-io/transport-node @nats-io/jetstream
//   node publish_with_nats.mjs bell.json nats://127.0.0.1:4222
import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import { connect, headers } from "@nats-io/transport-node";

const [file, servers = "nats://127.0.0.1:4222", tenant = "default"] = process.argv.slice(2);
const client = await connect({ servers });
const log = jetstream(client);
const job = randomUUID();

const h = headers();
h.set("ce-specversion", "1.0");
h.set("ce-id", job);
h.set("ce-source", "/example");
h.set("ce-type", "io.quire.job.submit.v1");
await log.publish(`quire.cmd.${tenant}.job.submit.v1.${job}`, readFileSync(file), { headers: h });

const life = await log.consumers.get("QUIRE", { filter_subjects: `quire.evt.${tenant}.*.*.*.${job}` });
for await (const event of await life.consume()) {
  const type = event.headers.get("ce-type");
  console.log(type, event.string());
  if (/^io\.quire\.job\.(completed|failed|cancelled|rejected)\.v1$/.test(type)) break;
}
await client.close();
