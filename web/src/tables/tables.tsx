/**
 * The tables, one at a time: sort, search, pages, downloads, and PromQL for the table and each row.
 */

import type { JSX, TargetedKeyboardEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { pathOf } from "../api.ts";
import { normal } from "../filter.ts";
import { bytes, count, counted, visible } from "../format.ts";
import { API, impossible, isFilterRight, refusal, refused, shown, show } from "../store.ts";
import { table, tablePath, trafficNow, view } from "../store.ts";
import { TABLES, type TableName } from "../state.ts";
import { CopyButton, oldClass, Trouble, useNear } from "../parts.tsx";
import { NO_FIGURES, RANGE_NAMES } from "../words.ts";
import { type CellContext, type Column, shapeOf } from "./columns.tsx";
import { type Format, narrowed } from "./download.ts";
import { labelOf } from "./labels.ts";
import { graphAddress, ofRow, ofTable } from "./promql.ts";
import { found, searchOf } from "./search.ts";

/** Rows at once. Each is laid out again with every answer: more would hold up the chart. */
const PAGE = 50;
/** The most that the API gives at once. */
const DOWNLOAD = 10_000;
const SEARCH_DELAY = 300;
/** Milliseconds for which the text of a download is kept. */
const SAVED_WITHIN = 60_000;
const TYPES: Record<Format, string> = { csv: "text/csv", json: "application/json" };
const DEFAULT_SORT = "bytes";

type Row = Parameters<ReturnType<typeof shapeOf>["keyOf"]>[0];

/** The filter of the page, with the words of the search that are such as of a filter. */
const tableFilter = (): string => normal(`${view.value.filter} ${searchOf(view.value.search).filter}`);
const searchTexts = (): string[] => searchOf(view.value.search).texts;

function parametersOf(offset: number, limit: number): Record<string, string | number> {
  const { range, sort, order } = view.value;
  return {
    range,
    filter: tableFilter(),
    sort: sort === "" ? DEFAULT_SORT : sort,
    order,
    limit,
    offset: offset === 0 ? "" : offset,
  };
}

function Tabs(): JSX.Element {
  const list = useRef<HTMLDivElement>(null);
  const open = (name: TableName): void => show({ table: name, sort: "", order: "desc", search: "" });
  const key = (event: TargetedKeyboardEvent<HTMLDivElement>): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const index = (TABLES.indexOf(view.peek().table) + step + TABLES.length) % TABLES.length;
    open(TABLES[index] ?? "hosts");
    list.current?.querySelectorAll("button")[index]?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Tables" ref={list} onKeyDown={key}>
      {TABLES.map((name) => {
        const isOn = name === view.value.table;
        return (
          <button
            type="button"
            role="tab"
            key={name}
            id={`tab-${name}`}
            aria-selected={isOn}
            aria-controls="table"
            tabIndex={isOn ? 0 : -1}
            onClick={() => open(name)}
          >
            {shapeOf(name).title}
          </button>
        );
      })}
    </div>
  );
}

function Search(): JSX.Element {
  const [text, setText] = useState(view.value.search);
  const timer = useRef(0);
  useEffect(() => setText(view.value.search), [view.value.search, view.value.table]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const input = (value: string): void => {
    setText(value);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => show({ search: value.trim() }, "same"), SEARCH_DELAY);
  };
  return (
    <input
      type="search"
      class="search"
      aria-label="Search in the table"
      placeholder="Search"
      maxLength={200}
      value={text}
      onInput={(event) => input(event.currentTarget.value)}
    />
  );
}

/** Says which parts of filter and search an expression does not have. */
function Without(properties: { parts: string[] }): JSX.Element | null {
  if (properties.parts.length === 0) return null;
  return <small class="muted">PromQL without: {properties.parts.join(", ")}</small>;
}

/** Saves a text as a file. */
function save(text: string, type: string, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  // The browser reads the text a moment later.
  setTimeout(() => URL.revokeObjectURL(link.href), SAVED_WITHIN);
}

/** A link to the rows of the table as a file. The exporter filters and sorts them, and the page searches them. */
function Download(properties: { name: TableName; format: Format }): JSX.Element {
  const { name, format } = properties;
  const [hasFailed, setFailed] = useState(false);
  const texts = searchTexts();
  const address = API + pathOf(name, { ...parametersOf(0, DOWNLOAD), format });
  const file = `${name}.${format}`;
  const press = async (event: MouseEvent): Promise<void> => {
    if (texts.length === 0) return;
    event.preventDefault();
    try {
      const response = await fetch(address, { credentials: "same-origin" });
      setFailed(!response.ok);
      if (response.ok) save(narrowed(name, format, await response.text(), texts), TYPES[format], file);
    } catch {
      setFailed(true);
    }
  };
  return (
    <a class="button" href={address} download={file} onClick={(event) => void press(event)}>
      {format.toUpperCase()}
      {hasFailed && " failed"}
    </a>
  );
}

function Downloads(): JSX.Element {
  const name = view.value.table;
  const expression = ofTable(name, view.value.range, view.value.unit, tableFilter());
  const without = [...expression.without, ...(searchTexts().length > 0 ? ["search"] : [])];
  const graph = graphAddress(shown.value?.prometheus_url ?? null, expression.text);
  return (
    <div class="downloads">
      <Download name={name} format="csv" />
      <Download name={name} format="json" />
      <CopyButton class="button" text={expression.text} label="Copy as PromQL: the largest rows of the table">
        Copy as PromQL
      </CopyButton>
      <Without parts={without} />
      {graph !== null && (
        <a class="button" href={graph} target="_blank" rel="noopener noreferrer">
          Show in Prometheus
        </a>
      )}
    </div>
  );
}

function HeadCell(properties: { column: Column<Row> }): JSX.Element {
  const { column } = properties;
  const { sort, order } = view.value;
  const isSorted = column.isUnsorted !== true && (sort === "" ? DEFAULT_SORT : sort) === column.key;
  const press = (): void => {
    const first = column.kind === "text" ? "asc" : "desc";
    const other = order === "desc" ? "asc" : "desc";
    show({ sort: column.key, order: isSorted ? other : first }, "same");
  };
  return (
    <th
      scope="col"
      class={`${column.kind} rank-${column.rank}`}
      aria-sort={isSorted ? (order === "asc" ? "ascending" : "descending") : undefined}
    >
      {column.isUnsorted === true ? (
        column.title
      ) : (
        <button type="button" class="sort" onClick={press}>
          {column.title}
          <span class="arrow" aria-hidden="true">
            {isSorted ? (order === "asc" ? "▲" : "▼") : ""}
          </span>
        </button>
      )}
    </th>
  );
}

function Body(properties: { name: TableName; rows: Row[]; context: CellContext }): JSX.Element {
  const { name, rows, context } = properties;
  const { columns, keyOf } = shapeOf(name);
  const { range, unit } = view.value;
  return (
    <tbody>
      {rows.map((row) => (
        <tr key={keyOf(row)}>
          {columns.map((column) => (
            <td key={column.key} class={`${column.kind} rank-${column.rank}`}>
              {column.cell(row, context)}
            </td>
          ))}
          <td class="rank-2 act">
            <CopyButton
              class="quiet"
              text={ofRow(name, row as never, range, unit, tableFilter())}
              label={`PromQL of ${visible(labelOf(name, row as never))}`}
            >
              PromQL
            </CopyButton>
          </td>
        </tr>
      ))}
    </tbody>
  );
}

function Pages(properties: { offset: number; total: number; onChange(offset: number): void }): JSX.Element {
  const { offset, total, onChange } = properties;
  const last = Math.min(total, offset + PAGE);
  return (
    <div class="pages">
      <span>{total === 0 ? "No rows" : `Rows ${count(offset + 1)}–${count(last)} of ${count(total)}`}</span>
      <button type="button" class="button" disabled={offset === 0} onClick={() => onChange(Math.max(0, offset - PAGE))}>
        Previous
      </button>
      <button type="button" class="button" disabled={last >= total} onClick={() => onChange(offset + PAGE)}>
        Next
      </button>
    </div>
  );
}

/** The answer, and the table it belongs to: the next table's first answer takes a moment. */
function useRows(
  name: TableName,
  offset: number,
): {
  rows: Row[];
  total: number;
  /** Rows past the most that are searched. */
  unsearched: number;
  other: { bytes: number; packets: number } | null;
  isOld: boolean;
} {
  const answer = table.answer.value;
  const path = table.answered.value;
  const texts = searchTexts();
  const isSearch = texts.length > 0;
  const isOfTable = path !== null && path.startsWith(`${name}?`);
  const given = isOfTable ? ((answer?.rows ?? []) as Row[]) : [];
  const total = isOfTable ? (answer?.total_rows ?? 0) : 0;
  const rows = isSearch ? (found(name, given as never[], texts) as Row[]) : given;
  return {
    rows: isSearch ? rows.slice(offset, offset + PAGE) : rows,
    total: isSearch ? rows.length : total,
    unsearched: isSearch ? total - given.length : 0,
    other: isOfTable ? (answer?.other ?? null) : null,
    isOld: refused.value === null && path !== table.path.value,
  };
}

export function Tables(): JSX.Element {
  const { table: name, range, filter, search, sort, order } = view.value;
  const [offset, setOffset] = useState(0);
  const near = useNear<HTMLElement>((isNear) => (table.isActive.value = isNear));
  useEffect(() => setOffset(0), [name, range, filter, search, sort, order]);
  const refusedHere = refusal(range, tableFilter());
  const parameters = searchTexts().length > 0 ? parametersOf(0, DOWNLOAD) : parametersOf(offset, PAGE);
  const path = refusedHere === null ? pathOf(name, parameters) : null;
  const isRight = isFilterRight.value;
  useEffect(() => {
    if (isRight) tablePath.value = path;
  }, [path, isRight]);
  const { rows, total, unsearched, other, isOld } = useRows(name, offset);
  // Rows leave: the page that was shown may be past the last one.
  useEffect(() => {
    if (!isOld && offset > 0 && offset >= total) setOffset(Math.max(0, Math.ceil(total / PAGE) - 1) * PAGE);
  }, [isOld, offset, total]);
  const { columns, title } = shapeOf(name);
  const context: CellContext = {
    unit: view.value.unit,
    now: trafficNow.peek(),
    most: Math.max(0, ...rows.map((row) => row.bytes)),
  };
  return (
    <section class={`panel tables ${oldClass(table)}`} aria-label="Tables" ref={near}>
      <div class="panel-head">
        <Tabs />
        <div class="panel-tools">
          <Search />
          <Downloads />
        </div>
      </div>
      <Trouble query={table} />
      {refusedHere !== null && impossible.value === null && <p class="trouble">{visible(refusedHere)}</p>}
      <div
        class="scroll table-space"
        id="table"
        role="tabpanel"
        aria-labelledby={`tab-${name}`}
        tabIndex={0}
        aria-busy={isOld}
      >
        <table>
          <caption class="unseen">
            {title}, {RANGE_NAMES[range]}
          </caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <HeadCell key={column.key} column={column} />
              ))}
              <td class="rank-2" />
            </tr>
          </thead>
          <Body name={name} rows={rows} context={context} />
        </table>
        {!isOld && rows.length === 0 && <p class="empty">{refused.value === null ? "No rows match." : NO_FIGURES}</p>}
      </div>
      <div class="panel-foot muted">
        <Pages offset={offset} total={total} onChange={setOffset} />
        {unsearched > 0 && <span>{counted(unsearched, "smaller row is", "smaller rows are")} not searched.</span>}
        {other !== null && other.bytes > 0 && (
          <span>
            Traffic without a row of its own: {bytes(other.bytes)}, {counted(other.packets, "packet")}.
          </span>
        )}
      </div>
    </section>
  );
}
