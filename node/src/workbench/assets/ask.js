// Asking this page's own server: JSON by POST, and answers that come in frames.

/** Why something was not answered: the parts of the server's error. */
export class Problem extends Error {
  constructor(told) {
    super(told.message ?? "it is not answered");
    this.told = told;
  }
}

async function fetched(path, kind, body, signal) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST", headers: { "content-type": kind }, body, signal,
      credentials: "same-origin", cache: "no-store", redirect: "error",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ kind: "connection", message: "the node can't be reached: is it running, and does your certificate still count?" });
  }
  if (response.ok) return response;
  let told = { kind: "request", message: `the node answers with ${response.status}` };
  try { told = (await response.json()).error ?? told; } catch { /* It is no JSON: the status says what there is to say. */ }
  throw new Problem(told);
}

/** What is answered to a question. */
export async function post(path, question = {}, signal = undefined) {
  const response = await fetched(path, "application/json", JSON.stringify(question), signal);
  return response.json();
}

/** The answer in another format, as a blob; where statistics are behind it, what has no value may be withheld. */
export async function convert(format, chunks, hasStatistics) {
  const kind = "application/vnd.apache.arrow.stream";
  const response = await fetched(`/api/download/${format}${hasStatistics ? "?statistics" : ""}`, kind, new Blob(chunks), undefined);
  return response.blob();
}

const EVENT = "e".charCodeAt(0);

/** Asks a question and hands on what comes: events as objects, pieces of Arrow as bytes. */
export async function run(question, { signal, event, arrow }) {
  const response = await fetched("/api/run", "application/json", JSON.stringify(question), signal);
  const reader = response.body.getReader();
  let held = [];
  let length = 0;
  const take = (n) => {
    const bytes = new Uint8Array(n);
    let filled = 0;
    while (filled < n) {
      const first = held[0];
      const part = first.subarray(0, n - filled);
      bytes.set(part, filled);
      filled += part.length;
      if (part.length === first.length) held.shift(); else held[0] = first.subarray(part.length);
    }
    length -= n;
    return bytes;
  };
  let frame = null;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    held.push(value);
    length += value.length;
    for (;;) {
      if (frame === null) {
        if (length < 5) break;
        const head = take(5);
        frame = { kind: head[0], length: new DataView(head.buffer).getUint32(1) };
      }
      if (length < frame.length) break;
      const bytes = take(frame.length);
      if (frame.kind === EVENT) event(JSON.parse(new TextDecoder().decode(bytes))); else arrow(bytes);
      frame = null;
    }
  }
  if (frame !== null || length > 0) throw new Problem({ kind: "connection", message: "the answer was cut off on its way" });
}
