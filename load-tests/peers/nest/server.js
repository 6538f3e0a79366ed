// A NestJS server with one stream of server-sent events, written as its manual and most answers
// to "NestJS SSE" show it: a Subject, one method under @Sse() that returns it, one POST that feeds it.
// The decorators are called by hand, so that there is no compiler between this file and node.

require('reflect-metadata');
const { Body, Controller, Module, Post, Sse } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { Subject } = require('rxjs');

class EventsController {
  events = new Subject();

  // @Sse('stream')
  stream() {
    return this.events.asObservable();
  }

  // @Post('publish')
  publish(/* @Body() */ data) {
    this.events.next({ data });
  }
}

function decorate(method, decorator) {
  const { prototype } = EventsController;
  decorator(prototype, method, Object.getOwnPropertyDescriptor(prototype, method));
}
decorate('stream', Sse('stream'));
decorate('publish', Post('publish'));
Body()(EventsController.prototype, 'publish', 0);
Controller()(EventsController);

class AppModule {}
Module({ controllers: [EventsController] })(AppModule);

async function main() {
  const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
  await app.listen(Number(process.argv[2]), '127.0.0.1');
}

main();
