/**
 * The cells that several columns share, or that are more than a text. They take values of a row, and do not know the table.
 */

import type { ComponentChildren } from "preact";
import type { HostRow } from "../api.ts";
import { portWord, protocolWord } from "../filter.ts";
import { ago, bytes, dateTime, moment, NONE, shortened, shortTime, visible } from "../format.ts";
import { FilterLink, Host } from "../parts.tsx";
import { originText } from "../words.ts";
import { sumName } from "./labels.ts";

export function Bytes(properties: { value: number; most: number }): ComponentChildren {
  const width = properties.most > 0 ? `${(100 * properties.value) / properties.most}%` : "0";
  return (
    <span class="bytes">
      <span class="bytes-bar" style={{ width }} aria-hidden="true" />
      <span>{bytes(properties.value)}</span>
    </span>
  );
}

export function Ago(properties: { at: string | null; now: number }): ComponentChildren {
  const time = moment(properties.at);
  return time === null ? (
    NONE
  ) : (
    <time dateTime={properties.at ?? ""} title={dateTime(time)}>
      {ago(time, properties.now)}
    </time>
  );
}

export function Time(properties: { at: string | null; now: number }): ComponentChildren {
  const time = moment(properties.at);
  return time === null ? (
    NONE
  ) : (
    <time dateTime={properties.at ?? ""} title={dateTime(time)}>
      {shortTime(time, properties.now)}
    </time>
  );
}

const PORT_TEXT = 28;

/** An end of a flow; "other" in a sum of flows that differ in it. */
export const end = (address: string | null, name: string | null): ComponentChildren =>
  address === null ? <span class="muted">other</span> : <Host address={address} name={name} />;

export function service(row: { protocol: string; port: number | null; service: string | null }): ComponentChildren {
  if (row.port === null)
    return (
      <>
        <FilterLink word={protocolWord(row.protocol)}>{visible(row.protocol)}</FilterLink>
        {row.service !== null && <bdi class="name">{shortened(sumName(row.protocol, row.service), PORT_TEXT)}</bdi>}
      </>
    );
  return (
    <>
      <FilterLink word={portWord(row.port)}>{`${visible(row.protocol)}/${row.port}`}</FilterLink>
      {row.service !== null && <bdi class="name">{shortened(row.service, PORT_TEXT)}</bdi>}
    </>
  );
}

/** The country of a host, and the owner of its address. */
export function origin({ names, is_local }: HostRow): ComponentChildren {
  const text = originText(names);
  return text === "" ? (
    <span class="muted">{is_local ? "local" : NONE}</span>
  ) : (
    <bdi title={visible(text)}>{shortened(text, 32)}</bdi>
  );
}
