// An answer in this browser's memory: the Arrow stream as it came, and its batches read. It is kept nowhere else.

import { RecordBatchReader } from "./vendor.js";

/** Pieces that arrive and are read when they are wanted. */
class Pieces {
  #waiting = [];
  #wake = null;
  #over = false;

  push(piece) { this.#waiting.push(piece); this.#wake?.(); }
  end() { this.#over = true; this.#wake?.(); }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      if (this.#waiting.length > 0) { yield this.#waiting.shift(); continue; }
      if (this.#over) return;
      await new Promise((wake) => { this.#wake = wake; });
      this.#wake = null;
    }
  }
}

/** An answer as it arrives. */
export class Answer {
  /** The stream, piece by piece, to be sent back for a download. */
  chunks = [];
  bytes = 0;
  fields = [];
  rows = 0;
  /** Whether all of it has arrived. */
  whole = false;
  receipt = null;
  /** Whether a cell has no value. */
  hasNull = false;
  #batches = [];
  #starts = [];
  #pieces = new Pieces();
  #read;

  /** `grown` is called when there are more rows, or the columns are known. */
  constructor(grown) {
    this.#read = this.#reading(grown);
    this.#read.catch(() => {});
  }

  async #reading(grown) {
    const reader = await RecordBatchReader.from(this.#pieces);
    await reader.open();
    this.fields = reader.schema.fields;
    grown(this);
    for await (const batch of reader) {
      if (batch.numRows === 0) continue;
      this.#starts.push(this.rows);
      this.#batches.push(batch);
      this.rows += batch.numRows;
      this.hasNull ||= this.fields.some((_, column) => (batch.getChildAt(column)?.nullCount ?? 0) > 0);
      grown(this);
    }
  }

  /** Takes a piece of the stream. */
  take(piece) {
    this.chunks.push(piece);
    this.bytes += piece.length;
    this.#pieces.push(piece);
  }

  /** No more comes; resolves when all is read. */
  async end() {
    this.#pieces.end();
    await this.#read;
  }

  /** The value in a row and column, as Arrow has it. */
  value(row, column) {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle] <= row) low = middle; else high = middle - 1;
    }
    try {
      return this.#batches[low]?.getChildAt(column)?.get(row - this.#starts[low]) ?? null;
    } catch {
      // A time that is no number of milliseconds here: it is there, and unlike one that is withheld.
      return NaN;
    }
  }

  /** Whether statistics are behind it, so that a cell without a value may be one that was withheld. */
  get hasStatistics() {
    return (this.receipt?.releases ?? []).some((release) => (release.datasets ?? []).some((used) => used.form === "statistics"));
  }

  /** The place of the column that holds this, by a test of field and some values. */
  find(test) {
    return this.fields.findIndex((field, column) => test(field, column));
  }
}
