// What the page uses of D3 5.
declare module "d3" {
  type Text = (value: number) => string;
  interface Scale<T = number> {
    (value: number): T;
    invert(place: number): number;
    domain(ends: number[]): this;
    range(ends: number[]): this;
    clamp(on: boolean): this;
    copy(): this;
    tickFormat(labelled: number, text: Text): Text;
  }
  interface Axis {
    (selection: unknown): void;
    ticks(count: number): this;
    tickValues(values: number[] | null): this;
    tickFormat(text: Text): this;
    tickSize(length: number): this;
  }
  interface Line {
    (values: ArrayLike<number>): string | null;
    defined(there: (value: number) => boolean): this;
    x(place: (value: number, index: number) => number): this;
    y(place: (value: number) => number): this;
  }
  function axisBottom(scale: Scale): Axis;
  function axisLeft(scale: Scale): Axis;
  function clientPoint(element: Element, event: PointerEvent): [number, number];
  function extent(values: number[]): [number, number];
  function interpolatePlasma(share: number): string;
  function interpolateRgb(from: string, to: string): Text;
  function interpolateViridis(share: number): string;
  function line(): Line;
  function piecewise(between: typeof interpolateRgb, colours: string[]): Text;
  function pointRadial(angle: number, radius: number): [number, number];
  function range(count: number): number[];
  function scaleLinear(): Scale;
  function scaleLog(): Scale;
  function scan(values: number[], compare: (a: number, b: number) => number): number;
  function scaleSequential(colours: Text): Scale<string>;
  function select(element: Element): unknown;
  function sum(values: number[], of?: (value: number) => number): number;
  function ticks(from: number, to: number, count: number): number[];
}
