/**
 * The search in a table: it keeps the rows whose own cells contain each word. It takes rows and text, and knows no element of
 * the page.
 */

import { read as readWords, words } from "../filter.ts";
import type { TableName } from "../state.ts";
import { isName } from "./selectors.ts";
import type { Rows } from "./rows.ts";

type Text = string | null;

const serviceTexts = (row: { protocol: string; port: number | null; service: string | null }): Text[] => [
  row.port === null ? row.protocol : `${row.protocol}/${row.port}`,
  row.service,
];

/** The texts of a row's cells: names and addresses, no figures. */
const TEXTS: { [Name in TableName]: (row: Rows[Name]) => Text[] } = {
  hosts: ({ address, name, names }) => [
    address,
    name,
    ...[names.dns, names.dhcp, names.mac, names.vendor, names.country, names.organisation],
    names.asn === null ? null : `AS${names.asn}`,
  ],
  devices: ({ mac, vendor, name, addresses }) => [mac, vendor, name, ...addresses],
  pairs: (row) => [row.a, row.b, row.a_name, row.b_name],
  flows: (row) => [
    ...[row.source, row.destination, row.source_name, row.destination_name, row.direction, row.interface],
    ...serviceTexts(row),
    row.process?.name ?? null,
    row.process?.container ?? null,
  ],
  services: serviceTexts,
  protocols: ({ protocol }) => [protocol],
};

export interface Search {
  /** Words that the API understands as a filter: "port:443", "10.0.0.0/8". */
  filter: string;
  /** Words that the cells of a row must contain; a "-" in front excludes. */
  texts: string[];
}

/** True for an address that is typed whole or in part: cells contain it as text. */
const isAddress = (word: string): boolean => /^[-!]?[\da-f.:]+$/i.test(word);

/** The text that a word of a search asks for, without its sign and its quotes. */
function partOf(word: string): string {
  const [read] = readWords(word);
  return read?.isQuoted === true && read.key === "" ? read.value : word.replace(/^[-!](?=.)/s, "");
}

/** The parts of a search. */
export function searchOf(search: string): Search {
  const all = words(search);
  const isText = (word: string): boolean => isName(word) || isAddress(word);
  return { filter: all.filter((word) => !isText(word)).join(" "), texts: all.filter(isText) };
}

/** The rows whose own cells contain the texts, in any case of letters. */
export function found<Name extends TableName>(table: Name, rows: Rows[Name][], texts: string[]): Rows[Name][] {
  const wanted = texts.map((text) => {
    const isNegated = /^[-!]./.test(text);
    return { isNegated, part: partOf(text).toLowerCase() };
  });
  return rows.filter((row) => {
    const cells = TEXTS[table](row).map((text) => text?.toLowerCase() ?? "");
    return wanted.every(({ isNegated, part }) => cells.some((cell) => cell.includes(part)) !== isNegated);
  });
}
