"""The record of messages in the order in which their agents sent them, without a database."""

from mqmft_svc.domain.states import counts_all_files
from mqmft_svc.domain.transfers import new_transfer
from mqmft_svc.schemas.documents import whole_document
from mqmft_svc.schemas.transferlog import read_message
from tests.unit.mqmft_svc.transferlog_messages import completed, item, progress, started, status


def shown(*bodies):
    """Return the document of the record that messages of one transfer make."""
    transfer, items = None, {}
    for body in bodies:
        change = read_message(body, "mq")
        transfer = transfer or new_transfer(change, "QM1")
        transfer.apply(change)
        for one in change.items:
            items[one.position] = items[one.position].merged(one) if one.position in items else one
    if not counts_all_files(transfer.state):
        transfer.count_items(items.values())
    return whole_document(transfer, [items[place] for place in sorted(items)])


def story(number, chance):
    """Return the messages of a whole transfer; `chance` is a random.Random that draws its course."""
    id_, total = f"{number:048X}", chance.randint(1, 4)
    bodies = [started(10, total=total, id_=id_)]
    for place in range(total):
        code = chance.choice((0, 0, 0, 1, 2))
        bodies += [
            status(20 + 10 * place, place, 64, total=total, id_=id_),
            progress(25 + 10 * place, [item(place, code=code)], index=place, total=total, sent=place, id_=id_),
        ]
    code = chance.choice((0, 20, 40, 41))
    return [*bodies, completed(90, code=code, total=total, failures=chance.randint(0, total), id_=id_)]


def traffic(count, chance):
    """Return the stories of transfers by id, and all their messages in disorder, some of them twice."""
    stories = {f"{number:048X}": story(number, chance) for number in range(1, count + 1)}
    bodies = [body for messages in stories.values() for body in messages]
    bodies += chance.sample(bodies, len(bodies) // 4)
    chance.shuffle(bodies)
    return stories, bodies
