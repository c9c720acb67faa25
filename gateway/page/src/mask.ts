// What a mask is made of: strokes, and pictures of masks. Drawn in the order in
// which they were made, so that the last can be taken back.

export type Point = [x: number, y: number]; // pixels of the canvas

export interface Stroke {
  points: Point[];
  width: number;
  erases: boolean;
}

export type Mark = Stroke | HTMLCanvasElement;

// As it is shown; snow is white too.
const COLOUR = "#e8694e";

export function draw(context: CanvasRenderingContext2D, mark: Mark): void {
  if (mark instanceof HTMLCanvasElement) {
    context.globalCompositeOperation = "source-over";
    context.drawImage(mark, 0, 0);
    return;
  }
  const { points, width, erases } = mark;
  const [first, ...others] = points;
  context.globalCompositeOperation = erases ? "destination-out" : "source-over";
  context.strokeStyle = context.fillStyle = COLOUR;
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = width;
  // A line of no length would not be drawn.
  context.beginPath();
  context.arc(...first!, width / 2, 0, 2 * Math.PI);
  context.fill();
  context.beginPath();
  context.moveTo(...first!);
  for (const point of others) context.lineTo(...point);
  context.stroke();
}

function layer(of: { width: number; height: number }): CanvasRenderingContext2D {
  const canvas = document.createElement("canvas");
  canvas.width = of.width;
  canvas.height = of.height;
  return canvas.getContext("2d")!;
}

function fill(context: CanvasRenderingContext2D, how: GlobalCompositeOperation, colour: string) {
  context.globalCompositeOperation = how;
  context.fillStyle = colour;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
}

// A file's mask, stretched over `target`: the lighter, the more is painted anew.
// Rejects what is no picture.
export async function markFrom(file: Blob, target: HTMLCanvasElement): Promise<Mark> {
  const picture = await createImageBitmap(file);
  const context = layer(target);
  context.drawImage(picture, 0, 0, target.width, target.height);
  const pixels = context.getImageData(0, 0, target.width, target.height);
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    data[i + 3] = (data[i + 3]! * (data[i]! + data[i + 1]! + data[i + 2]!)) / 765;
  }
  context.putImageData(pixels, 0, 0);
  fill(context, "source-in", COLOUR);
  return context.canvas;
}

// White where `painted` is, black elsewhere; `undefined` where nothing is.
export async function flattened(painted: HTMLCanvasElement): Promise<Blob | undefined> {
  const context = layer(painted);
  context.drawImage(painted, 0, 0);
  const { data } = context.getImageData(0, 0, painted.width, painted.height);
  if (!data.some((value, i) => i % 4 === 3 && value > 0)) return undefined;
  fill(context, "source-in", "#fff");
  fill(context, "destination-over", "#000");
  const blob = await new Promise<Blob | null>((resolve) => context.canvas.toBlob(resolve));
  return blob ?? undefined;
}
