// Checks Grafana's dashboards against the schema that Grafana publishes (npm package @grafana/schema): each dashboard and
// each panel becomes a typed constant, and the TypeScript compiler reads them. Unknown keys and wrong values are errors.
//
//   node scripts/grafana.mjs FOLDER     a folder with node_modules/@grafana/schema and node_modules/typescript
import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {basename, join} from 'node:path';

const folder = process.argv[2];
const dashboards = new URL('../grafana/', import.meta.url).pathname;

// The panels that may be used, with the name of their schema.
const PANELS = {stat: 'Stat', table: 'Table', timeseries: 'TimeSeries', 'state-timeline': 'StateTimeline'};
const plainName = (type) => type.replaceAll('-', '');

const imports = Object.entries(PANELS).map(([type, name]) => {
  const module = `@grafana/schema/dist/esm/raw/composable/${plainName(type)}/panelcfg/x/${name}PanelCfg_types.gen`;
  return `import type * as ${plainName(type)} from '${module}';`;
});

const TYPES = `${imports.join('\n')}
import type {AnnotationQuery, Dashboard, DataQuery, FieldConfig, FieldConfigSource, Panel, RowPanel} from '@grafana/schema';

// JSON has no enumerations: their values are texts there.
export type Plain<T> = T extends string ? \`\${T}\`
  : T extends Array<infer U> ? Array<Plain<U>>
  : T extends object ? {[K in keyof T]: Plain<T[K]>}
  : T;

// A query to Prometheus; its data source is no part of the package.
interface Query extends DataQuery {
  expr: string;
  legendFormat: string;
  editorMode: 'code' | 'builder';
  instant: boolean;
  range: boolean;
  format?: 'table' | 'time_series' | 'heatmap';
}
interface Annotation extends Omit<AnnotationQuery, 'target'> {
  target?: {refId: string; expr: string; interval: string};
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
  useValueForTime?: 'on' | boolean;
}

// The limits of a tooltip's size are required by the schema, and not by Grafana.
type Sized<O> = O extends {tooltip: infer T} ? Omit<O, 'tooltip'> & {tooltip: Partial<T>} : O;
type Custom<F> = Omit<FieldConfig, 'custom'> & {custom?: Partial<F>};
type Config<F> = Omit<FieldConfigSource, 'defaults'> & {defaults: Custom<F>};
type Of<O, F> = Plain<Omit<Panel, 'options' | 'fieldConfig' | 'targets'>
  & {options: Sized<O>; fieldConfig: Config<F>; targets: Query[]}>;
${Object.keys(PANELS).map((type) => {
  const name = plainName(type);
  const custom = type === 'stat' ? 'Record<string, never>' : `${name}.FieldConfig`;
  return `export type Panel_${name} = Of<${name}.Options, ${custom}>;`;
}).join('\n')}
export type Row = Plain<Omit<RowPanel, 'panels'>>;
export type Whole = Plain<Omit<Dashboard, 'panels' | 'annotations'> & {annotations: {list: Annotation[]}}>;
`;

// The schema refuses what is wrong: the compiler complains if one of these lines has no error.
const WRONG = `import type * as types from './types';
// @ts-expect-error: no such value
export const value: types.Panel_stat['options']['colorMode'] = 'nonsense';
// @ts-expect-error: no such key
export const key: Partial<types.Whole> = {nonsense: 1};
// @ts-expect-error: no such type
export const type: Partial<types.Panel_table['options']> = {showHeader: 'yes'};
// @ts-expect-error: no such option of a line
export const line: types.Panel_timeseries['fieldConfig']['defaults']['custom'] = {drawStyle: 'circles'};
`;

const typeOf = (panel) => {
  if (panel.type === 'row') return 'Row';
  if (!(panel.type in PANELS)) throw new Error(`the panel ${panel.title} has a type that is not checked: ${panel.type}`);
  return `Panel_${plainName(panel.type)}`;
};

const constant = (name, type, value) => `export const ${name}: types.${type} = ${JSON.stringify(value, null, 1)};\n`;

const panelOf = ({panels, ...panel}) => constant(`panel${panel.id}`, typeOf(panel), panel) + (panels ?? []).map(panelOf).join('');

const source = ({panels, ...dashboard}) =>
  `import type * as types from './types';\n${constant('dashboard', 'Whole', dashboard)}${panels.map(panelOf).join('')}`;

const check = join(folder, 'check');
rmSync(check, {recursive: true, force: true});
mkdirSync(check);
writeFileSync(join(check, 'types.ts'), TYPES);
writeFileSync(join(check, 'wrong.ts'), WRONG);
const names = readdirSync(dashboards).filter((name) => name.endsWith('.json'));
if (names.length === 0) throw new Error(`no dashboard in ${dashboards}`);
for (const name of names) {
  const dashboard = JSON.parse(readFileSync(join(dashboards, name), 'utf8'));
  writeFileSync(join(check, `${basename(name, '.json')}.ts`), source(dashboard));
}
const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'esnext'];
const files = readdirSync(check).map((name) => join('check', name));
const compiler = join('node_modules', 'typescript', 'bin', 'tsc');
try {
  execFileSync('node', [compiler, ...options, '--moduleResolution', 'bundler', ...files], {cwd: folder, stdio: 'inherit'});
} catch {
  process.exit(1);
}
console.log(`${names.length} dashboards fit the schema of Grafana`);
