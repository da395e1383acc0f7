/**
 * The panel of the network chart: the choice of its view, its table, full screen.
 */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Graph } from "../api.ts";
import { bytes, counted, share, shortened } from "../format.ts";
import { drawn, unlisted } from "../derived.ts";
import { graph, refused, show, view } from "../store.ts";
import { HOSTS } from "../state.ts";
import { Choice, oldClass, Trouble } from "../parts.tsx";
import { NO_FIGURES, RANGE_NAMES } from "../words.ts";
import { nameOf } from "./canvas.ts";
import { charted, foldedSentence, withinOther } from "./folded.ts";
import { ForceView } from "./force_view.tsx";
import { GraphTable } from "./graph_table.tsx";
import { SankeyView } from "./sankey_view.tsx";
import { sceneOf } from "./scene.ts";

const SUMMARY = "network-summary";

/** The largest edges in one sentence. */
function summary(answer: Graph): string {
  const scene = sceneOf(answer);
  const largest = [...scene.edges].sort((left, right) => right.edge.bytes - left.edge.bytes).slice(0, 5);
  const parts = largest.map(
    ({ edge, from, to }) =>
      `${shortened(nameOf(scene, from), 40)} to ${shortened(nameOf(scene, to), 40)} ${bytes(edge.bytes)}`,
  );
  if (parts.length > 0) return `The largest: ${parts.join("; ")}.`;
  return answer.nodes.length === 0 ? "No traffic." : withinOther(answer);
}

function useFullScreen(): [{ current: HTMLElement | null }, boolean, () => void] {
  const element = useRef<HTMLElement>(null);
  const [isFull, setFull] = useState(false);
  useEffect(() => {
    const follow = (): void =>
      setFull(document.fullscreenElement !== null && document.fullscreenElement === element.current);
    document.addEventListener("fullscreenchange", follow);
    return () => document.removeEventListener("fullscreenchange", follow);
  }, []);
  const toggle = (): void => {
    if (document.fullscreenElement === null) void element.current?.requestFullscreen();
    else void document.exitFullscreen();
  };
  return [element, isFull, toggle];
}

function Chart(properties: { answer: Graph; isTable: boolean }): JSX.Element {
  const { answer, isTable } = properties;
  if (answer.nodes.length === 0) return <p class="empty">No host has traffic here.</p>;
  if (isTable) return <GraphTable graph={answer} of={drawn.value?.of ?? 0} />;
  return view.value.chart === "sankey" ? (
    <SankeyView graph={answer} of={drawn.value?.of ?? 0} describedBy={SUMMARY} />
  ) : (
    <ForceView graph={answer} describedBy={SUMMARY} />
  );
}

function Keys(): JSX.Element {
  return (
    <span class="key" aria-hidden="true">
      <span class="swatch incoming" /> incoming <span class="swatch outgoing" /> outgoing <span class="swatch local" />{" "}
      local <span class="swatch transit" /> transit
    </span>
  );
}

function MostHosts(): JSX.Element {
  const choose = (text: string): void => show({ hosts: HOSTS.find((value) => value === text) ?? "100" }, "same");
  return (
    <label class="select">
      <span class="unseen">Most hosts</span>
      <select
        title="Most hosts in the chart"
        value={view.value.hosts}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        {HOSTS.map((value) => (
          <option key={value} value={value} selected={value === view.value.hosts}>
            {value} hosts
          </option>
        ))}
      </select>
    </label>
  );
}

function Tools(properties: { isTable: boolean; isFull: boolean; onTable(): void; onFull(): void }): JSX.Element {
  return (
    <div class="panel-tools">
      <Choice
        label="View of the chart"
        value={view.value.chart}
        options={[
          ["force", "Hosts", "Hosts and the traffic between them"],
          ["sankey", "Flows", "Senders, services, receivers (Sankey)"],
        ]}
        onChange={(chart) => show({ chart })}
      />
      <MostHosts />
      <button type="button" class="button" aria-pressed={properties.isTable} onClick={properties.onTable}>
        Show as table
      </button>
      <button type="button" class="button" aria-pressed={properties.isFull} onClick={properties.onFull}>
        Full screen
      </button>
    </div>
  );
}

/** The chart's size, and the hosts that it folds, in words. */
function sizeOf(answer: Graph): string {
  const hosts = charted(answer);
  const size = hosts === 0 ? "" : `${counted(hosts, "host")}, ${counted(answer.edges.length, "edge")}. `;
  return size + foldedSentence(answer);
}

/** Shows the hosts below ChartMinBytes, or folds them again; nothing where the limit folds no host. */
function FoldButton(properties: { answer: Graph }): JSX.Element | null {
  const isUnfolded = view.value.fold === "none";
  if (!isUnfolded && properties.answer.folded.below_min_bytes === 0) return null;
  return (
    <button
      type="button"
      class="button"
      aria-pressed={isUnfolded}
      onClick={() => show({ fold: isUnfolded ? "limit" : "none" })}
    >
      Show hosts below ChartMinBytes
    </button>
  );
}

/** The part of the traffic that the chart draws, in words; empty for all of it. */
function partOf(answer: Graph): string {
  const { bytes: shown, of } = drawn.value ?? { bytes: 0, of: 0 };
  const edges = answer.left_out.edges;
  const within = answer.nodes.some((node) => node.is_other) ? ", with traffic within “other”" : "";
  const parts: string[] = [];
  if (shown < of) parts.push(`${bytes(shown)} of ${bytes(of)} drawn (${share(shown, of)}).`);
  if (edges > 0) parts.push(`${counted(edges, "smaller edge is", "smaller edges are")} left out${within}.`);
  const without = unlisted.value ?? 0;
  if (without > 0) {
    const what = view.value.filter === "" ? "has no row of its own" : "without a row may match the filter";
    parts.push(`${bytes(without)} ${what}.`);
  }
  return parts.join(" ");
}

export function Network(): JSX.Element {
  const [element, isFull, toggleFull] = useFullScreen();
  const isTable = view.value.network === "table";
  const answer = graph.answer.value;
  return (
    <section class={`panel network ${oldClass(graph)}`} aria-labelledby="network-title" ref={element}>
      <div class="panel-head">
        <h2 id="network-title">
          Network flow <small>{RANGE_NAMES[view.value.range]}</small>
        </h2>
        <Keys />
        <Tools
          isTable={isTable}
          isFull={isFull}
          onTable={() => show({ network: isTable ? "chart" : "table" })}
          onFull={toggleFull}
        />
      </div>
      <Trouble query={graph} />
      <p class="unseen" id={SUMMARY}>
        {answer === null ? "No figures yet." : summary(answer)} “Show as table” gives all figures.
      </p>
      <div class="chart-space">
        {answer === null ? (
          <p class="empty">{refused.value === null ? "Waiting for figures." : NO_FIGURES}</p>
        ) : (
          <Chart answer={answer} isTable={isTable} />
        )}
      </div>
      <div class="panel-foot muted">
        <span>
          {answer !== null && `${sizeOf(answer)} ${partOf(answer)}`} Width is by bytes. A press filters the page.
        </span>
        {answer !== null && <FoldButton answer={answer} />}
      </div>
    </section>
  );
}
