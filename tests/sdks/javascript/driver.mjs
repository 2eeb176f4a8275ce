// Makes every call that @exadel/compreface-js-sdk has, and prints one JSON object: what each answered, how
// it was refused, or what it raised.
//
// Run by Node in the folder of the pictures. Its one argument is JSON: `server`, `port`, `pictures` (the URL
// they are served at) and `keys`, by type of service.

import { readFileSync } from 'node:fs';

import { CompreFace } from '@exadel/compreface-js-sdk';

console.log = () => {}; // the SDK prints API keys and the like

const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const EVERYTHING = {
  limit: 1,
  det_prob_threshold: 0.3,
  face_plugins: 'age,gender,pose,landmarks,calculator',
  status: true,
};

const { server, port, pictures, keys } = JSON.parse(process.argv[2]);
const mesh = new CompreFace(server, port);
const limited = new CompreFace(server, port, { limit: 1, prediction_count: 2 });
const outcomes = {};

/** Keeps the outcome by this name, and returns the id of the face that was enrolled, if one was. */
async function call(name, make) {
  try {
    outcomes[name] = { answer: await make() };
  } catch (error) {
    outcomes[name] = error.response
      ? { status: error.response.status, refused: error.response.data }
      : { raised: `${error.name}: ${error.message}` };
  }
  return outcomes[name].answer?.image_id ?? '';
}

const bytes = (file) => readFileSync(file);
const base64 = (file) => bytes(file).toString('base64');

// Only a path that begins with a point is a path to the SDK.
const detection = mesh.initFaceDetectionService(keys.detection);
await call('detect', () => detection.detect('./obama.jpg'));
await call('detect with everything', () => detection.detect('./both.jpg', EVERYTHING));
await call('detect a URL', () => detection.detect(`${pictures}/obama.jpg`));
await call('detect base64', () => detection.detect(base64('./obama.jpg')));
await call('detect both', () => detection.detect('./both.jpg', {}));
await call('detect nobody', () => detection.detect('./nobody.png'));
await call('detect with the options of the client', () =>
  limited.initFaceDetectionService(keys.detection).detect('./both.jpg', { limit: 2 }));
await call('detect with options but no limit', () =>
  detection.detect('./obama.jpg', { det_prob_threshold: 0.8, status: true }));
await call('detect bytes', () => detection.detect(bytes('./obama.jpg')));

const verification = mesh.initFaceVerificationService(keys.verification);
await call('verify', () => verification.verify('./obama.jpg', './obama2.jpg'));
await call('verify another', () => verification.verify(base64('./obama.jpg'), base64('./biden.jpg')));
await call('verify URLs', () => verification.verify(`${pictures}/obama.jpg`, `${pictures}/obama2.jpg`));
await call('verify a URL with a path', () => verification.verify(`${pictures}/obama.jpg`, './obama2.jpg'));
await call('verify a path with a URL', () => verification.verify('./obama.jpg', `${pictures}/obama2.jpg`));
await call('verify with everything', () => verification.verify('./obama.jpg', './both.jpg', EVERYTHING));
await call('verify both in the source', () => verification.verify('./both.jpg', './obama.jpg'));
await call('verify nobody in the target', () => verification.verify('./obama.jpg', './nobody.png'));
await call('verify bytes', () => verification.verify(bytes('./obama.jpg'), bytes('./obama2.jpg')));
await call('verify a path with base64', () => verification.verify('./obama.jpg', base64('./obama2.jpg')));

// A collection writes the path of each call behind the last one's, so every call takes a new collection.
const recognition = mesh.initFaceRecognitionService(keys.recognition);
const subjects = () => recognition.getSubjects();
const faces = () => recognition.getFaceCollection();
await call('recognize in an empty gallery', () => recognition.recognize('./obama.jpg', {}));
await call('list no subjects', () => subjects().list());
await call('add a subject', () => subjects().add('Ann Lee'));
await call('add it again', () => subjects().add('ann lee'));
await call('add a subject of a bad name', () => subjects().add('Ann/Lee'));
await call('rename', () => subjects().rename('Ann Lee', 'Ann Maria Lee'));
await call('rename to the same', () => subjects().rename('Ann Maria Lee', 'Ann Maria Lee'));
await call('rename nobody', () => subjects().rename('Nobody', 'Somebody'));
await call('list subjects', () => subjects().list());
await call('delete a subject', () => subjects().delete('Ann Maria Lee'));
await call('delete nobody', () => subjects().delete('Nobody'));

const obama = await call('add', () => faces().add('./obama.jpg', 'Barack Obama'));
const spare = await call('add base64', () => faces().add(base64('./obama2.jpg'), 'Barack Obama'));
await call('add a URL', () => faces().add(`${pictures}/biden.jpg`, 'Joe Biden'));
const odd = await call('add by an odd name', () =>
  faces().add('./biden.jpg', 'X', { det_prob_threshold: 0.5 }));
await call('add both', () => faces().add('./both.jpg', 'Two'));
await call('add nobody', () => faces().add('./nobody.png', 'Nobody'));
await call('add a text file', () => faces().add('./notes.txt', 'Nobody'));
await call('add bytes', () => faces().add(bytes('./obama.jpg'), 'Nobody'));
await call('list', () => faces().list());
await call('recognize', () => recognition.recognize('./obama3.jpg', {}));
await call('recognize base64', () => recognition.recognize(base64('./obama3.jpg'), {}));
await call('recognize a URL', () => recognition.recognize(`${pictures}/obama3.jpg`, {}));
await call('recognize with everything', () =>
  recognition.recognize('./obama3.jpg', { ...EVERYTHING, prediction_count: 3 }));
await call('recognize both', () => recognition.recognize('./both.jpg', { limit: 0 }));
await call('recognize nobody', () => recognition.recognize('./nobody.png', {}));
await call('recognize for no match', () => recognition.recognize('./obama.jpg', { prediction_count: 0 }));
await call('recognize with the options of the client', () =>
  limited.initFaceRecognitionService(keys.recognition).recognize('./both.jpg', {}));
await call('recognize without options', () => recognition.recognize('./obama.jpg'));
await call('verify a face', () => faces().verify('./obama3.jpg', obama));
await call('verify a face with base64', () => faces().verify(base64('./obama3.jpg'), obama));
await call('verify a face with everything', () => faces().verify('./both.jpg', obama, EVERYTHING));
await call('verify a face of an unknown id', () => faces().verify('./obama.jpg', UNKNOWN));
await call('verify twice by one collection', async () => {
  const collection = faces();
  await collection.verify('./obama.jpg', obama);
  return collection.verify('./obama.jpg', obama);
});
await call('delete a face', () => faces().delete(spare));
await call('delete a face of an unknown id', () => faces().delete(UNKNOWN));
await call('merge', () => subjects().rename('Joe Biden', 'Barack Obama'));
await call('list what was merged', () => faces().list());
await call('delete the faces of a subject', () => faces().delete_all_subject('Barack Obama'));
await call('delete the faces of nobody', () => faces().delete_all_subject('Nobody'));
await call('delete the faces of an empty name', () => faces().delete_all_subject(''));
await call('delete all faces', () => faces().delete_all());
await call('delete several faces', () => faces().delete_multiple_images([odd, UNKNOWN]));
await call('delete all subjects', () => subjects().deleteAll());
await call('list nothing', () => faces().list());
await call('add a subject of an umlaut', () => subjects().add('Jürgen X'));
await call('delete a subject of an umlaut', () => subjects().delete('Jürgen X'));
await call('delete a subject of other letters', () => subjects().delete('日本'));

await call('a key that is unknown', () =>
  mesh.initFaceRecognitionService(UNKNOWN).recognize('./obama.jpg', {}));
await call('a key that is none', () => mesh.initFaceRecognitionService('secret').recognize('./obama.jpg', {}));
await call('a key of another type', () =>
  mesh.initFaceDetectionService(keys.recognition).detect('./obama.jpg'));

process.stdout.write(JSON.stringify(outcomes));
