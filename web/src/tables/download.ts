/**
 * A downloaded table without the rows that its search leaves out. It takes and gives the text of an answer of the API, and knows
 * no element of the page.
 */

import type { Table } from "../api.ts";
import type { TableName } from "../state.ts";
import { found } from "./search.ts";

export type Format = "csv" | "json";

interface CsvRecord {
  /** The record as it stands in the file, with the end of its line. */
  text: string;
  fields: string[];
}

/** The records of comma-separated values (RFC 4180). */
function recordsOf(csv: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let [fields, start]: [string[], number] = [[], 0];
  for (const match of csv.matchAll(/("(?:[^"]|"")*"|[^,\r\n]*)(,|\r?\n|$)/g)) {
    const [whole, field = "", end = ""] = match;
    if (match.index >= csv.length) break;
    fields.push(field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field);
    if (end === ",") continue;
    const next = match.index + whole.length;
    records.push({ text: csv.slice(start, next), fields });
    [fields, start] = [[], next];
  }
  return records;
}

/** A row of the API from the fields of its record: columns with parts have a head for each part. */
function rowOf(heads: string[], fields: string[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  const names: Record<string, string | null> = {};
  const process: Record<string, string | null> = {};
  heads.forEach((head, at) => {
    const value = fields[at] === undefined || fields[at] === "" ? null : fields[at];
    const [, group, part = ""] = /^(name|process)_(.+)$/.exec(head) ?? [];
    if (group === "name") names[part] = value;
    else if (group === "process") process[part] = value;
    else row[head] = head === "addresses" ? (value ?? "").split(" ") : value;
  });
  return { ...row, names, process };
}

function narrowedCsv(table: TableName, csv: string, texts: string[]): string {
  const [head, ...records] = recordsOf(csv);
  if (head === undefined) return csv;
  const kept = records.filter(({ fields }) => found(table, [rowOf(head.fields, fields) as never], texts).length > 0);
  return [head, ...kept].map(({ text }) => text).join("");
}

function narrowedJson(table: TableName, json: string, texts: string[]): string {
  const answer = JSON.parse(json) as Table<never>;
  const rows = found(table, answer.rows, texts);
  return JSON.stringify({ ...answer, total_rows: rows.length, rows });
}

/** The text of a table with the rows alone that contain the texts of a search. */
export const narrowed = (table: TableName, format: Format, text: string, texts: string[]): string =>
  (format === "csv" ? narrowedCsv : narrowedJson)(table, text, texts);
